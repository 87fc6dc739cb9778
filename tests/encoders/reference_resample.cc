// SPDX-License-Identifier: Apache-2.0
#include "tests/encoders/reference_resample.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace {

using percept::ImageSize;
using percept::ResampleWeights;

double Kernel(double x) {
  const double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * (x * x) + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

struct Output {
  int64_t lo = 0;
  std::vector<double> w;
};

std::vector<Output> Weights(int64_t n_in, int64_t n_out) {
  const double r = static_cast<double>(n_in) / static_cast<double>(n_out);
  const double q = std::max(r, 1.0);
  const double support = 2 * q;
  std::vector<Output> outputs(static_cast<size_t>(n_out));
  for (int64_t i = 0; i < n_out; ++i) {
    Output& out = outputs[static_cast<size_t>(i)];
    const double c = (static_cast<double>(i) + 0.5) * r;
    out.lo = std::max<int64_t>(static_cast<int64_t>(std::trunc(c - support + 0.5)), 0);
    const int64_t hi = std::min(static_cast<int64_t>(std::trunc(c + support + 0.5)), n_in);
    double sum = 0;
    for (int64_t j = out.lo; j < hi; ++j) out.w.push_back(Kernel((static_cast<double>(j) - c + 0.5) / q));
    for (const double w : out.w) sum += w;
    for (double& w : out.w) w /= sum;
  }
  return outputs;
}

int Precision(const std::vector<Output>& outputs, ResampleWeights precision) {
  if (precision == ResampleWeights::kPillow) return 22;
  double w_max = 0;
  for (const Output& out : outputs) {
    for (const double w : out.w) w_max = std::max(w_max, w);
  }
  for (int p = 0; p < 22; ++p) {
    if (std::trunc(0.5 + w_max * std::pow(2.0, p + 1)) >= 32768) return p;
  }
  return 22;
}

// level(k, j) reads sample j of line k; emit(k, i, level) writes output i.
void ResampleLines(int64_t n_in, int64_t n_out, int64_t num_lines, ResampleWeights precision,
                   const std::function<int64_t(int64_t, int64_t)>& level,
                   const std::function<void(int64_t, int64_t, int64_t)>& emit) {
  const std::vector<Output> outputs = Weights(n_in, n_out);
  const int bits = Precision(outputs, precision);
  for (int64_t k = 0; k < num_lines; ++k) {
    for (int64_t i = 0; i < n_out; ++i) {
      const Output& out = outputs[static_cast<size_t>(i)];
      int64_t sum = int64_t{1} << (bits - 1);
      for (size_t j = 0; j < out.w.size(); ++j) {
        const double scaled = out.w[j] * std::pow(2.0, bits);
        sum += static_cast<int64_t>(std::trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5)) *
               level(k, out.lo + static_cast<int64_t>(j));
      }
      emit(k, i, std::clamp<int64_t>(sum >> bits, 0, 255));
    }
  }
}

}  // namespace

TestImage ReferenceResample(const TestImage& source, ImageSize target, ResampleWeights precision) {
  TestImage wide = source;
  if (target.width != source.width) {
    wide.width = target.width;
    wide.rgb.assign(static_cast<size_t>(3 * target.width * source.height), 0);
    ResampleLines(
        source.width, target.width, 3 * source.height, precision,
        [&](int64_t k, int64_t j) { return source.rgb[static_cast<size_t>((k / 3 * source.width + j) * 3 + k % 3)]; },
        [&](int64_t k, int64_t i, int64_t level) {
          wide.rgb[static_cast<size_t>((k / 3 * wide.width + i) * 3 + k % 3)] = static_cast<uint8_t>(level);
        });
  }
  if (target.height == source.height) return wide;
  TestImage out{target.width, target.height, {}};
  out.rgb.assign(static_cast<size_t>(3 * out.width * out.height), 0);
  ResampleLines(
      source.height, target.height, 3 * out.width, precision,
      [&](int64_t k, int64_t j) { return wide.rgb[static_cast<size_t>(j * 3 * out.width + k)]; },
      [&](int64_t k, int64_t i, int64_t level) {
        out.rgb[static_cast<size_t>(i * 3 * out.width + k)] = static_cast<uint8_t>(level);
      });
  return out;
}
