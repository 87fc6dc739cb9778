// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept {

// Every instruction set that this machine has, under the cap of the test run.
inline std::vector<Isa> TestableIsas(Isa max_isa) {
  std::vector<Isa> isas;
  for (const Isa isa : kAllIsas) {
    if (isa <= DetectIsa() && isa <= max_isa) {
      isas.push_back(isa);
    }
  }
  return isas;
}

// Normally distributed values from a fixed seed.
inline Matrix RandomMatrix(int64_t rows, int64_t cols, uint32_t seed, float deviation = 1.0f) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.0f, deviation);
  Matrix matrix(rows, cols);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      matrix.view().row(r)[c] = normal(generator);
    }
  }
  return matrix;
}

// Bits, not values: 0 and -0 differ.
inline bool SameBits(const float* a, const float* b, int64_t count) {
  return std::equal(a, a + count, b,
                    [](float x, float y) { return std::bit_cast<uint32_t>(x) == std::bit_cast<uint32_t>(y); });
}

// A dense [out, in] weight of random values, and the floats they stand for. F32, BF16 or F16.
struct RandomWeight {
  std::vector<std::byte> bytes;
  std::vector<float> values;
  ConstTensor tensor;

  RandomWeight(DType dtype, int64_t out, int64_t in, uint32_t seed)
      : bytes(static_cast<size_t>(BytesOf(dtype, out * in))), values(static_cast<size_t>(out * in)) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0f, 1.0f);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = normal(generator);
      if (dtype != DType::kF32) {
        const uint16_t bits = dtype == DType::kBF16 ? FloatToBF16(values[i]) : RandomHalf(generator);
        values[i] = dtype == DType::kBF16 ? BF16ToFloat(bits) : F16ToFloat(bits);
        std::copy_n(reinterpret_cast<const std::byte*>(&bits), 2, bytes.data() + 2 * i);
      } else {
        std::copy_n(reinterpret_cast<const std::byte*>(&values[i]), 4, bytes.data() + 4 * i);
      }
    }
    tensor = {bytes.data(), dtype, {out, in}};
  }
  // Of either sign, magnitudes from 2^-3 to 2.
  static uint16_t RandomHalf(std::mt19937& generator) {
    const uint32_t bits = static_cast<uint32_t>(generator());
    return static_cast<uint16_t>((bits & 0x8000u) | (0x3000u + bits % 0x1000u));
  }

  RandomWeight(const RandomWeight&) = delete;
  RandomWeight& operator=(const RandomWeight&) = delete;
};

}  // namespace percept
