// SPDX-License-Identifier: Apache-2.0
#pragma once

// The CPU side of Attention: a tile of query rows that share one kv head walks over blocks of keys with an online
// softmax, so no more than [tile rows, 64] scores exist at a time.

#include <cstdint>

#include "kernels/cpu/context.h"
#include "kernels/ops/attention.h"

namespace percept::ops {

// Keys are taken in blocks of 64, cut at absolute positions: what a row's bits come from does not depend on the rows
// and the chunk it is computed with.
inline constexpr int64_t kKeyBlock = 64;
inline constexpr int64_t kMaxTileRows = 48;

// Where the key and the value of one position and kv head lie.
struct KeyRow {
  const float* k;
  const float* v;
};
inline KeyRow RowOf(const KeyValueView& keys, int64_t kv_head, int64_t position) {
  const int64_t slot = position % keys.capacity;
  const int64_t offset = (slot % keys.block_rows * keys.kv_heads + kv_head) * keys.head_dim;
  return {keys.k_blocks[slot / keys.block_rows] + offset, keys.v_blocks[slot / keys.block_rows] + offset};
}

// The rows of K and V at the positions [begin, begin + count) of one kv head, inside one block.
struct KeyBlock {
  const float* k[kKeyBlock];
  const float* v[kKeyBlock];
  int64_t begin = 0;
  int64_t count = 0;
  int64_t first_lane = 0;  // begin % 64: the lane of its first key
};

// A tile of query rows and its running softmax. All buffers belong to one task.
struct AttentionTile {
  int64_t rows = 0;
  int64_t head_dim = 0;
  const KeyRange* ranges = nullptr;  // [rows]
  float* q = nullptr;                // [rows, head_dim]
  float* keys = nullptr;             // [head_dim, 64], one key block transposed
  float* values = nullptr;           // [64, head_dim], its values
  float* scores = nullptr;           // [rows, 64]
  float* acc = nullptr;              // [rows, head_dim], sum of exp(score - max) * v
  float* max = nullptr;              // [rows]
  float* sum = nullptr;              // [rows], sum of exp(score - max)
};

// Starts the softmax of every row: no key seen.
void BeginTile(const AttentionTile& tile);
// Takes in one block of keys. Blocks come in ascending order.
void AddKeyBlock(const KernelContext& context, const AttentionTile& tile, const KeyBlock& block);

}  // namespace percept::ops
