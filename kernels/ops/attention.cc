// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/attention.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/cpu/threads.h"
#include "kernels/ops/attention_bf16.h"
#include "kernels/ops/attention_cpu.h"

namespace percept::ops {
namespace {

// Scratch is one slice per slot; more workers than this find none.
constexpr int64_t kMaxSlots = 32;

struct Problem {
  const KernelContext& context;
  ConstMatrixView q;
  const KeyValueView& keys;
  std::span<const KeyRange> ranges;
  MatrixView out;
  int64_t group;       // query heads per kv head
  int64_t tile_steps;  // rows of q in a tile; the tile holds group * tile_steps rows
};

int64_t TileSteps(int64_t rows, int64_t group) { return std::max<int64_t>(1, std::min(rows, kMaxTileRows / group)); }

int64_t RoundUp(int64_t floats) { return (floats + 15) / 16 * 16; }

// Floats of one slot's tile buffers: q, keys, scores, acc, max, sum.
int64_t SliceFloats(int64_t tile_rows, int64_t head_dim) {
  return 2 * RoundUp(tile_rows * head_dim) + (head_dim + tile_rows) * kKeyBlock + 2 * RoundUp(tile_rows);
}

AttentionTile TileIn(float* slice, int64_t tile_rows, int64_t head_dim) {
  AttentionTile tile;
  tile.head_dim = head_dim;
  tile.q = slice;
  tile.acc = tile.q + RoundUp(tile_rows * head_dim);
  tile.keys = tile.acc + RoundUp(tile_rows * head_dim);
  tile.scores = tile.keys + head_dim * kKeyBlock;
  tile.max = tile.scores + tile_rows * kKeyBlock;
  tile.sum = tile.max + RoundUp(tile_rows);
  return tile;
}

// The keys of [begin, end) that lie in the block of 64 that starts at block_begin.
void FillBlock(const KeyValueView& keys, int64_t kv_head, int64_t block_begin, int64_t begin, int64_t end,
               KeyBlock& block) {
  block.begin = std::max(begin, block_begin);
  block.count = std::min(end, block_begin + kKeyBlock) - block.begin;
  block.first_lane = block.begin - block_begin;
  for (int64_t i = 0; i < block.count; ++i) {
    const KeyRow row = RowOf(keys, kv_head, block.begin + i);
    block.k[i] = row.k;
    block.v[i] = row.v;
  }
}

// Rows [first, first + steps) of q, all their heads of one kv head.
void RunTile(const Problem& problem, int64_t kv_head, int64_t first, int64_t steps, AttentionTile tile) {
  const int64_t head_dim = problem.keys.head_dim;
  const int64_t first_col = kv_head * problem.group * head_dim;
  KeyRange ranges[kMaxTileRows];
  KeyRange all = problem.ranges[static_cast<size_t>(first)];
  tile.rows = steps * problem.group;
  tile.ranges = ranges;
  for (int64_t step = 0; step < steps; ++step) {
    const KeyRange& range = problem.ranges[static_cast<size_t>(first + step)];
    all.begin = std::min(all.begin, range.begin);
    all.end = std::max(all.end, range.end);
    std::fill_n(ranges + step * problem.group, problem.group, range);
    std::copy_n(problem.q.row(first + step) + first_col, problem.group * head_dim,
                tile.q + step * problem.group * head_dim);
  }
  BeginTile(tile);
  KeyBlock block;
  for (int64_t begin = all.begin / kKeyBlock * kKeyBlock; begin < all.end; begin += kKeyBlock) {
    FillBlock(problem.keys, kv_head, begin, all.begin, all.end, block);
    AddKeyBlock(problem.context, tile, block);
  }
  for (int64_t row = 0; row < tile.rows; ++row) {
    float* out = problem.out.row(first + row / problem.group) + first_col + row % problem.group * head_dim;
    for (int64_t i = 0; i < head_dim; ++i) {
      out[i] = tile.acc[row * head_dim + i] / tile.sum[row];
    }
  }
}

void CheckArguments(const ConstMatrixView& q, int64_t heads, const KeyValueView& keys, std::span<const KeyRange> ranges,
                    const MatrixView& out) {
  PERCEPT_CHECK(keys.kv_heads > 0 && keys.head_dim > 0 && keys.block_rows > 0 && keys.capacity > 0);
  PERCEPT_CHECK(heads > 0 && heads % keys.kv_heads == 0 && heads / keys.kv_heads <= kMaxTileRows);
  PERCEPT_CHECK(q.cols == heads * keys.head_dim && out.cols == q.cols && out.rows == q.rows);
  PERCEPT_CHECK(static_cast<int64_t>(ranges.size()) == q.rows);
  for (const KeyRange& range : ranges) {
    PERCEPT_CHECK(range.begin >= 0 && range.begin < range.end && range.end - range.begin <= keys.capacity);
  }
}

}  // namespace

void Attention(const KernelContext& context, ConstMatrixView q, int64_t heads, const KeyValueView& keys,
               std::span<const KeyRange> ranges, MatrixView out, Arena& scratch) {
  CheckArguments(q, heads, keys, ranges, out);
  if (q.rows == 0) {
    return;
  }
  const Arena::Scope scope(scratch);
  const int64_t group = heads / keys.kv_heads;
  KeyRange all = ranges[0];
  for (const KeyRange& range : ranges) {
    all.begin = std::min(all.begin, range.begin);
    all.end = std::max(all.end, range.end);
  }
  if (UsesAttentionBF16(context, q.rows, group, all.end - all.begin)) {
    AttentionBF16(q, group, keys, ranges, all, out, scratch);
    return;
  }
  const Problem problem{context, q, keys, ranges, out, group, TileSteps(q.rows, group)};
  const int64_t tiles = (q.rows + problem.tile_steps - 1) / problem.tile_steps;
  const int64_t items = tiles * keys.kv_heads;
  const int64_t slots = std::min<int64_t>(kMaxSlots, NumWorkers());
  const int64_t tile_rows = problem.tile_steps * group;
  const int64_t slice_floats = SliceFloats(tile_rows, keys.head_dim);
  float* slices = scratch.Allocate<float>(slots * slice_floats);
  ParallelForSlots(items, slots, [&](int64_t slot, int64_t item) {
    // Last tiles first: under a causal mask they are the long ones.
    const int64_t first = (tiles - 1 - item / keys.kv_heads) * problem.tile_steps;
    RunTile(problem, item % keys.kv_heads, first, std::min(problem.tile_steps, q.rows - first),
            TileIn(slices + slot * slice_floats, tile_rows, keys.head_dim));
  });
}

size_t AttentionScratchBytes(int64_t rows, int64_t heads, int64_t head_dim, int64_t max_keys) {
  const int64_t tile_rows = std::min(kMaxTileRows, rows * heads);
  return std::max(static_cast<size_t>(kMaxSlots * SliceFloats(tile_rows, head_dim)) * sizeof(float),
                  AttentionBF16ScratchBytes(head_dim, max_keys));
}

}  // namespace percept::ops
