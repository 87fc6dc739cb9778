// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/quant_panel.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/vector_math.h"

#define PERCEPT_KERNELS "kernels/ops/quant_panel_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {
namespace {

constexpr int64_t kMaxBlockBytes = 210;
constexpr int64_t kScaleBytes = 2;

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Calls pack(rows, stride) with a block's 16 rows, the missing ones zero.
template <typename Pack>
void WithAllRows(const std::byte* rows, int64_t stride, int64_t num_rows, int64_t block_bytes, Pack&& pack) {
  if (num_rows == kQuantPanelWidth) {
    pack(rows, stride);
    return;
  }
  std::byte padded[kQuantPanelWidth * kMaxBlockBytes] = {};
  for (int64_t n = 0; n < num_rows; ++n) {
    std::memcpy(padded + n * block_bytes, rows + n * stride, static_cast<size_t>(block_bytes));
  }
  pack(padded, block_bytes);
}

// The scales of a kInt4 weight are an array of their own.
void GatherScales(const ConstTensor& weight, int64_t first_row, int64_t num_rows, int64_t block, std::byte* header) {
  const int64_t row_bytes = weight.width() / kCodeBlock * kScaleBytes;
  const std::byte* scales = static_cast<const std::byte*>(weight.scales) + first_row * row_bytes + block * kScaleBytes;
  std::memset(header, 0, static_cast<size_t>(kQuantPanelWidth * kScaleBytes));
  for (int64_t n = 0; n < num_rows; ++n) {
    std::memcpy(header + n * kScaleBytes, scales + n * row_bytes, static_cast<size_t>(kScaleBytes));
  }
}

}  // namespace

int64_t QuantPanelBytes(DType dtype, int64_t in_features) {
  const QuantLayout layout = QuantLayoutOf(dtype);
  const int64_t missing_blocks = (kUnitDepth - in_features % kUnitDepth) % kUnitDepth / kCodeBlock;
  return CeilDivide(in_features, kUnitDepth) * layout.unit_bytes() - missing_blocks * layout.block_bytes;
}

void PackQuantPanel(Isa isa, const ConstTensor& weight, int64_t panel_idx, int64_t first_unit, int64_t num_units,
                    std::byte* units) {
  const QuantLayout layout = QuantLayoutOf(weight.dtype);
  const int64_t file_block = Traits(weight.dtype).block_elements;
  const int64_t block_bytes = Traits(weight.dtype).block_bytes;
  const int64_t first_row = panel_idx * kQuantPanelWidth;
  const int64_t num_rows = std::min(kQuantPanelWidth, weight.rows() - first_row);
  const int64_t row_bytes = BytesOf(weight.dtype, weight.width());
  const std::byte* rows = static_cast<const std::byte*>(weight.bytes) + first_row * row_bytes;
  const int64_t end = std::min(weight.width(), (first_unit + num_units) * kUnitDepth);
  for (int64_t k = first_unit * kUnitDepth; k < end; k += file_block) {
    std::byte* unit = units + (k / kUnitDepth - first_unit) * layout.unit_bytes();
    const int64_t block = k % kUnitDepth / kCodeBlock;
    std::byte* header = unit + block * layout.header_step;
    std::byte* codes = unit + layout.header_bytes + block * layout.block_bytes;
    const std::byte* first = rows + k / file_block * block_bytes;
    WithAllRows(first, row_bytes, num_rows, block_bytes, [&](const std::byte* all, int64_t stride) {
      PERCEPT_DISPATCH(isa, PackBlock(weight.dtype, {all, stride}, codes, header));
    });
    if (weight.dtype == DType::kInt4) {
      GatherScales(weight, first_row, num_rows, k / kCodeBlock, header);
    }
  }
}

}  // namespace percept::ops
