// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/dtype.h"

#include <bit>

namespace percept {

const DTypeTraits& Traits(DType dtype) {
  static constexpr DTypeTraits kTraits[] = {
      {"F32", 1, 4},      {"BF16", 1, 2},     {"F16", 1, 2},      {"I64", 1, 8},    {"I32", 1, 4},
      {"U8", 1, 1},       {"Q4_0", 32, 18},   {"Q4_1", 32, 20},   {"Q5_0", 32, 22}, {"Q8_0", 32, 34},
      {"Q4_K", 256, 144}, {"Q5_K", 256, 176}, {"Q6_K", 256, 210}, {"INT4", 32, 16}};
  return kTraits[static_cast<int>(dtype)];
}

uint16_t FloatToBF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<uint16_t>((bits >> 16) | 0x40u);
  }
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float BF16ToFloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

float F16ToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7fffu) << 13;
  if (magnitude >= 0x0f800000u) {  // infinite or NaN
    return std::bit_cast<float>(sign | magnitude | 0x7f800000u);
  }
  // The exponents' biases differ by 112; a product shifts subnormals too.
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f));
}

}  // namespace percept
