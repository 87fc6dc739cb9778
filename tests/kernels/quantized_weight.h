// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "kernels/core/tensor.h"
#include "kernels/ops/dequantize.h"

namespace percept {

inline constexpr DType kQuantizedTypes[] = {DType::kQ40, DType::kQ41, DType::kQ50, DType::kQ80,
                                            DType::kQ4K, DType::kQ5K, DType::kQ6K, DType::kInt4};

// A dense [rows, width] weight of random blocks: any code, or all of them out of one byte, scales near 2^-4 of either
// sign (such that products stay near one), and the floats it stands for.
class QuantizedWeight {
 public:
  QuantizedWeight(DType dtype, int64_t rows, int64_t width, uint32_t seed, std::optional<uint8_t> every_byte = {})
      : dtype_(dtype),
        shape_{rows, width},
        bytes_(static_cast<size_t>(BytesOf(dtype, rows * width))),
        scales_(static_cast<size_t>(dtype == DType::kInt4 ? rows * width / 32 : 0)),
        values_(static_cast<size_t>(rows * width)) {
    std::mt19937 random(seed);
    for (uint8_t& byte : bytes_) {
      byte = every_byte.value_or(static_cast<uint8_t>(random()));
    }
    for (uint16_t& scale : scales_) {
      scale = static_cast<uint16_t>(RandomHalf(random, 0x3d80, 0x7f));
    }
    const int64_t block_bytes = Traits(dtype).block_bytes;
    for (size_t block = 0; dtype != DType::kInt4 && block < bytes_.size(); block += static_cast<size_t>(block_bytes)) {
      const size_t first = block + (dtype == DType::kQ6K ? 208 : 0);
      const bool is_pair = dtype == DType::kQ41 || dtype == DType::kQ4K || dtype == DType::kQ5K;
      for (size_t i = first; i < first + (is_pair ? 4 : 2); i += 2) {
        const uint32_t half = RandomHalf(random, 0x2c00, 0x3ff);
        bytes_[i] = static_cast<uint8_t>(half);
        bytes_[i + 1] = static_cast<uint8_t>(half >> 8);
      }
    }
    for (int64_t r = 0; r < rows; ++r) {
      ops::DequantizeColumns(Isa::kPortable, tensor(), r, 0, width, values_.data() + r * width);
    }
  }

  ConstTensor tensor() const {
    return {
        .bytes = bytes_.data(), .dtype = dtype_, .shape = shape_, .scales = scales_.empty() ? nullptr : scales_.data()};
  }
  const float* row(int64_t i) const { return values_.data() + i * shape_[1]; }

 private:
  // 16 bits of a float format: the exponent of `base`, any mantissa and sign.
  static uint32_t RandomHalf(std::mt19937& random, uint32_t base, uint32_t mantissa) {
    const uint32_t bits = static_cast<uint32_t>(random());
    return base | (bits & mantissa) | (bits >> 16 & 0x8000u);
  }

  DType dtype_;
  Shape shape_;
  std::vector<uint8_t> bytes_;
  std::vector<uint16_t> scales_;
  std::vector<float> values_;
};

}  // namespace percept
