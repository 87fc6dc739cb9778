// SPDX-License-Identifier: Apache-2.0
#pragma once

// How quantised weights lie in memory once packed: panels of 16 output features, about as many bytes as in the file.
//
// A panel is one unit for every 256 k: first what the unit has beside its codes, then 8 blocks of codes. A last unit
// may have fewer blocks. A block of codes holds 32 neighbouring k of all 16 rows. Group g of a block is k = 4 g .. 4 g
// + 3 as [16 rows][4 bytes]: one vector, whose lanes are rows. Codes of up to six bits store groups g and g + 4 as the
// low and high nibbles of vector g < 4; behind these four vectors come the high bits: of five-bit codes one vector,
// where bit g of a byte belongs to group g; of six-bit codes two, where bits 2 t and 2 t + 1 of vector h belong to
// group 4 h + t. All codes are unsigned: value = scale * (code - offset) or scale * code + minimum.
//
// Fields beside the codes, each for 16 rows: block by block the scale and, of Q4_1, the minimum; or, where the file has
// blocks of 256, the scale, the minimum's scale of Q4_K and Q5_K, and the 12 bytes of sub-scales of these, or the 16 of
// Q6_K.

#include <cstddef>
#include <cstdint>

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

inline constexpr int64_t kQuantPanelWidth = 16;
inline constexpr int64_t kCodeBlock = 32;

inline constexpr int64_t kUnitBlocks = 8;
inline constexpr int64_t kUnitDepth = kUnitBlocks * kCodeBlock;

struct QuantLayout {
  int64_t block_bytes;   // codes of 32 k
  int64_t header_bytes;  // what stands before the codes of a unit
  int64_t header_step;   // from a block's fields to the next block's, 0 where a unit has fields for all

  constexpr int64_t unit_bytes() const {
    constexpr int64_t kLine = 64;
    return (header_bytes + kUnitBlocks * block_bytes + kLine - 1) / kLine * kLine;
  }
};

constexpr QuantLayout QuantLayoutOf(DType dtype) {
  constexpr int64_t kNibbles = kCodeBlock * kQuantPanelWidth / 2;
  constexpr int64_t kBits = kCodeBlock * kQuantPanelWidth / 8;
  constexpr int64_t kField = kQuantPanelWidth;  // a byte for each row
  switch (dtype) {
    case DType::kQ41:
      return {kNibbles, kUnitBlocks * 4 * kField, 4 * kField};
    case DType::kQ50:
      return {kNibbles + kBits, kUnitBlocks * 2 * kField, 2 * kField};
    case DType::kQ80:
      return {2 * kNibbles, kUnitBlocks * 2 * kField, 2 * kField};
    case DType::kQ4K:
      return {kNibbles, (4 + 12) * kField, 0};
    case DType::kQ5K:
      return {kNibbles + kBits, (4 + 12) * kField, 0};
    case DType::kQ6K:
      return {kNibbles + 2 * kBits, (2 + 16) * kField, 0};
    default:  // kQ40, kInt4
      return {kNibbles, kUnitBlocks * 2 * kField, 2 * kField};
  }
}

// Whole units, but for the blocks that a last one lacks.
int64_t QuantPanelBytes(DType dtype, int64_t in_features);

// Writes units [first_unit, first_unit + num_units) of panel `panel_idx` of a row-major [out, in] weight. Rows beyond
// the last are zero.
void PackQuantPanel(Isa isa, const ConstTensor& weight, int64_t panel_idx, int64_t first_unit, int64_t num_units,
                    std::byte* units);

}  // namespace percept::ops
