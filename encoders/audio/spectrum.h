// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <complex>
#include <cstdint>

namespace percept {

// Magnitudes of the discrete Fourier transform of 512 real values, in double. Ours, since the encoders link nothing but
// the kernels, and single precision is not enough: a quiet mel bin beside a loud one is compared with 1e-3 (spec
// audio 3). Const after construction; any thread.
class Spectrum {
 public:
  static constexpr int64_t kSize = 512;
  static constexpr int64_t kBins = kSize / 2 + 1;
  using Values = std::array<double, kSize>;
  using Magnitudes = std::array<double, kBins>;

  Spectrum();

  void Compute(const Values& values, Magnitudes* magnitudes) const;

 private:
  static constexpr size_t kHalf = kSize / 2;
  using HalfTransform = std::array<std::complex<double>, kHalf>;

  void Transform(HalfTransform* values) const;

  std::array<std::complex<double>, kHalf> roots_;  // e^(-2 pi i k / 512)
  std::array<uint8_t, kHalf> reversed_{};          // k with its eight bits in reverse order
};

}  // namespace percept
