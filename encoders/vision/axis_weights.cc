// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/axis_weights.h"

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"

namespace percept {
namespace {

constexpr int kMaxFractionBits = 22;

// Keys' cubic with a = -1/2.
double Cubic(double x) {
  constexpr double kA = -0.5;
  x = std::fabs(x);
  if (x < 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0;
}

class AxisSampler {
 public:
  AxisSampler(int64_t source_length, int64_t target_length)
      : source_length_(source_length),
        ratio_(static_cast<double>(source_length) / static_cast<double>(target_length)),
        stretch_(std::max(ratio_, 1.0)) {}

  // Writes the normalised weights of output `i` and returns their first source position.
  int64_t Sample(int64_t i, std::vector<double>* weights) const {
    const double centre = (static_cast<double>(i) + 0.5) * ratio_;
    const double support = 2 * stretch_;
    // Truncated toward zero, not rounded: that is the definition.
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(std::trunc(centre - support + 0.5)), 0);
    const int64_t end = std::min(static_cast<int64_t>(std::trunc(centre + support + 0.5)), source_length_);
    weights->clear();
    double sum = 0;
    for (int64_t j = first; j < end; ++j) {
      weights->push_back(Cubic((static_cast<double>(j) - centre + 0.5) / stretch_));
      sum += weights->back();
    }
    PERCEPT_CHECK(!weights->empty() && sum > 0);
    for (double& weight : *weights) weight /= sum;
    return first;
  }

  double LargestWeight(int64_t target_length) const {
    std::vector<double> weights;
    double largest = 0;
    for (int64_t i = 0; i < target_length; ++i) {
      Sample(i, &weights);
      largest = std::max(largest, *std::max_element(weights.begin(), weights.end()));
    }
    return largest;
  }

 private:
  int64_t source_length_;
  double ratio_;
  double stretch_;
};

// The smallest number of bits at which one bit more would not fit an int16.
int Int16FractionBits(double largest_weight) {
  int bits = 0;
  while (bits < kMaxFractionBits && std::ldexp(largest_weight, bits + 1) + 0.5 < (1 << 15)) ++bits;
  return bits;
}

}  // namespace

AxisWeights ComputeAxisWeights(int64_t source_length, int64_t target_length, ResampleWeights precision) {
  PERCEPT_CHECK(source_length >= 1 && target_length >= 1);
  const AxisSampler sampler(source_length, target_length);
  AxisWeights axis;
  axis.fraction_bits = precision == ResampleWeights::kPillow ? kMaxFractionBits
                                                             : Int16FractionBits(sampler.LargestWeight(target_length));
  axis.taps.reserve(static_cast<size_t>(target_length));
  std::vector<double> weights;
  for (int64_t i = 0; i < target_length; ++i) {
    const int64_t first = sampler.Sample(i, &weights);
    axis.taps.push_back({first, static_cast<int64_t>(weights.size()), static_cast<int64_t>(axis.weights.size())});
    for (const double weight : weights) {
      const double scaled = std::ldexp(weight, axis.fraction_bits);
      axis.weights.push_back(static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
  }
  return axis;
}

}  // namespace percept
