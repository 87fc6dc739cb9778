// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/dtype.h"

#include <bit>

namespace percept {

const DTypeTraits& Traits(DType dtype) {
  static constexpr DTypeTraits kTraits[] = {{"F32", 1, 4}, {"BF16", 1, 2}, {"F16", 1, 2},
                                            {"I64", 1, 8}, {"I32", 1, 4},  {"U8", 1, 1}};
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

}  // namespace percept
