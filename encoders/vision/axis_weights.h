// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace percept {

// Precision of the fixed-point weights: the two reference back-ends differ in nothing else (spec vision 2.3).
enum class ResampleWeights : uint8_t {
  kPillow,       // 22 fractional bits
  kTorchvision,  // as many as the largest weight of the axis leaves in an int16
};

// Antialiased bicubic weights of one axis: output i is the sum over j of weights[j] * source[first + j], rounded and
// shifted right by `fraction_bits`.
struct AxisWeights {
  struct Taps {
    int64_t first;          // source position
    int64_t count;          // >= 1
    int64_t weights_begin;  // index into `weights`
  };

  std::vector<Taps> taps;        // [output length]
  std::vector<int32_t> weights;  // [sum of counts]
  int fraction_bits = 0;

  int64_t length() const { return static_cast<int64_t>(taps.size()); }
  const int32_t* WeightsOf(const Taps& t) const { return weights.data() + t.weights_begin; }
};

// Both lengths >= 1.
AxisWeights ComputeAxisWeights(int64_t source_length, int64_t target_length, ResampleWeights precision);

}  // namespace percept
