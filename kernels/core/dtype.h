// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace percept {

// Element type of a tensor. A block-quantised type is one more enumerator with its block in Traits(): the types of ggml
// (spec: prompt-and-files 13), and kInt4, the codes of compressed-tensors' pack-quantized format (11), whose scales are
// a second array (ConstTensor::scales).
enum class DType : uint8_t {
  kF32,
  kBF16,
  kF16,
  kI64,
  kI32,
  kU8,
  kQ40,
  kQ41,
  kQ50,
  kQ80,
  kQ4K,
  kQ5K,
  kQ6K,
  kInt4,
};

struct DTypeTraits {
  std::string_view name;
  int64_t block_elements;  // elements along the last dimension that are stored together, 1 for plain types
  int64_t block_bytes;
};

const DTypeTraits& Traits(DType dtype);

inline bool IsQuantized(DType dtype) { return dtype >= DType::kQ40; }
// Whether the values stand for real numbers, in a form that ops read.
inline bool IsReal(DType dtype) { return dtype <= DType::kF16 || IsQuantized(dtype); }

// Bytes of `elements` values; `elements` is a multiple of the type's block.
inline int64_t BytesOf(DType dtype, int64_t elements) {
  const DTypeTraits& traits = Traits(dtype);
  return elements / traits.block_elements * traits.block_bytes;
}

// Round to nearest even, as the reference does. NaN stays NaN.
uint16_t FloatToBF16(float value);
float BF16ToFloat(uint16_t bits);
// IEEE half precision, subnormals included. NaN keeps its payload.
float F16ToFloat(uint16_t bits);

}  // namespace percept
