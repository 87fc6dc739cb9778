// SPDX-License-Identifier: Apache-2.0
#pragma once

// Linear on quantised weights. exact: f32 activations times the dequantised weights, one chain of multiply-adds over k
// for each output. fast: activations are quantised to int8, row by row and 32 k at a time; products of a block are
// exact integers, f32 from block to block. In both a row's bits depend on the row and the weights alone.

#include <cstddef>
#include <cstdint>

#include "kernels/core/arena.h"
#include "kernels/ops/linear_cpu.h"

namespace percept::ops {

// Rows of activations as int8, in tiles of neighbouring rows, each tile k by k: [in / 4][rows of the tile][4]. A tile
// is as many rows as the kernels like best, the last rows are tiles of ever smaller powers of two.
struct CodedRows {
  int8_t* codes = nullptr;         // [rows, in]
  float* scales = nullptr;         // [tile][in / 32][rows of the tile]
  int32_t* corrections = nullptr;  // [tile][in / 32][runs][rows of the tile], see CodeRows
};

// Some rows times some neighbouring panels over some k: y = W x, or y += W x where first_block is not 0.
struct QuantTask {
  DType dtype;
  const std::byte* units;  // of first_panel, from first_block on
  int64_t panel_bytes;     // from a panel to the next
  int64_t first_panel;
  int64_t num_panels;
  int64_t first_block;  // blocks of 32 k; begins a unit
  int64_t num_blocks;
  int64_t first_row;
  int64_t end_row;
};

// args.x as it came, args.weight the packed panels (`packed`) or the rows of the file. `input_min`, `input_max`: bounds
// of x, for fast mode only (in exact mode x is clamped already).
void LinearQuant(const KernelContext& context, const LinearArgs& args, bool packed, float input_min, float input_max,
                 Arena& scratch);

size_t LinearQuantScratchBytes(int64_t rows, int64_t max_in_features);

// The kernels of one thread, by instruction set.
void RunExact(Isa isa, const LinearArgs& args, const QuantTask& task);
void RunFast(Isa isa, const LinearArgs& args, const CodedRows& coded, const QuantTask& task);
// Quantises rows [begin, end) of args.x, clamped; `begin` is a multiple of kMaxCodedTile.
void CodeRows(Isa isa, const LinearArgs& args, float input_min, float input_max, int64_t begin, int64_t end,
              const CodedRows& coded);
inline constexpr int64_t kMaxCodedTile = 8;

}  // namespace percept::ops
