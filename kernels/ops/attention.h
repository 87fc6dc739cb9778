// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

// The keys and values of one layer of one sequence. Position p lives in slot p % capacity; slots are grouped in blocks
// of block_rows rows, so a ring (sliding layers), a growing cache (full layers) and a plain matrix (a tower) are one
// form. Element (slot, kv_head, i) of K is k_blocks[slot / block_rows][(slot % block_rows) * kv_heads * head_dim +
// kv_head * head_dim + i].
struct KeyValueView {
  const float* const* k_blocks = nullptr;
  const float* const* v_blocks = nullptr;
  int64_t block_rows = 0;
  int64_t capacity = 0;  // slots
  int64_t kv_heads = 0;
  int64_t head_dim = 0;
};

// The positions a query row sees: begin <= key < end, at least one.
struct KeyRange {
  int64_t begin = 0;
  int64_t end = 0;
};

// out[row] = softmax(q[row] * K^T) V per head, in f32, scores unscaled (the models of this family have scale 1).
// q, out: [rows, heads * head_dim]; query head h reads kv head h / (heads / kv_heads). ranges: one per row.
// exact: key blocks are cut at absolute positions, so a row's bits do not depend on the chunk it was computed in.
// fast: many rows times many keys use bf16 products with f32 accumulation where the CPU has matrix tiles for them.
void Attention(const KernelContext& context, ConstMatrixView q, int64_t heads, const KeyValueView& keys,
               std::span<const KeyRange> ranges, MatrixView out, Arena& scratch);

// Scratch for at most `rows` rows whose ranges, taken together, span at most max_keys positions.
size_t AttentionScratchBytes(int64_t rows, int64_t heads, int64_t head_dim, int64_t max_keys);

}  // namespace percept::ops
