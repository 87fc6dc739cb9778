// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/attention.h"

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "kernels/cpu/threads.h"
#include "kernels/ops/attention_bf16.h"
#include "kernels/ops/attention_cpu.h"

namespace percept::ops {
namespace {

// Scratch is one slice per slot; more workers than this find none.
constexpr int64_t kMaxSlots = 32;
// Multiply-adds of the scores below which a second worker does not pay.
constexpr int64_t kTaskProducts = 1 << 16;
// Keys of a span that is worth a worker of its own.
constexpr int64_t kMinPartKeys = 128;

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

// Floats of one slot's tile buffers: q, acc, keys, values, scores, max, sum.
int64_t SliceFloats(int64_t tile_rows, int64_t head_dim) {
  return 2 * RoundUp(tile_rows * head_dim) + (2 * head_dim + tile_rows) * kKeyBlock + 2 * RoundUp(tile_rows);
}

AttentionTile TileIn(float* slice, int64_t tile_rows, int64_t head_dim) {
  AttentionTile tile;
  tile.head_dim = head_dim;
  tile.q = slice;
  tile.acc = tile.q + RoundUp(tile_rows * head_dim);
  tile.keys = tile.acc + RoundUp(tile_rows * head_dim);
  tile.values = tile.keys + head_dim * kKeyBlock;
  tile.scores = tile.values + head_dim * kKeyBlock;
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

// Rows [first, first + steps) of q with all their heads of one kv head.
struct TileRows {
  int64_t kv_head;
  int64_t first;
  int64_t steps;
};

KeyRange Union(std::span<const KeyRange> ranges) {
  KeyRange all = ranges[0];
  for (const KeyRange& range : ranges) {
    all.begin = std::min(all.begin, range.begin);
    all.end = std::max(all.end, range.end);
  }
  return all;
}

// Fills the tile with queries and takes in the keys of `span`, a part of what the rows see.
void AttendTile(const Problem& problem, const TileRows& rows, KeyRange span, AttentionTile& tile) {
  const int64_t head_dim = problem.keys.head_dim;
  const int64_t first_col = rows.kv_head * problem.group * head_dim;
  KeyRange ranges[kMaxTileRows];
  tile.rows = rows.steps * problem.group;
  tile.ranges = ranges;
  for (int64_t step = 0; step < rows.steps; ++step) {
    std::fill_n(ranges + step * problem.group, problem.group, problem.ranges[static_cast<size_t>(rows.first + step)]);
    std::copy_n(problem.q.row(rows.first + step) + first_col, problem.group * head_dim,
                tile.q + step * problem.group * head_dim);
  }
  BeginTile(tile);
  KeyBlock block;
  for (int64_t begin = span.begin / kKeyBlock * kKeyBlock; begin < span.end; begin += kKeyBlock) {
    FillBlock(problem.keys, rows.kv_head, begin, span.begin, span.end, block);
    AddKeyBlock(problem.context, tile, block);
  }
  tile.ranges = nullptr;
}

// out = acc / sum.
void WriteTile(const Problem& problem, const TileRows& rows, const AttentionTile& tile) {
  const int64_t head_dim = problem.keys.head_dim;
  for (int64_t row = 0; row < tile.rows; ++row) {
    float* out = problem.out.row(rows.first + row / problem.group) +
                 (rows.kv_head * problem.group + row % problem.group) * head_dim;
    for (int64_t i = 0; i < head_dim; ++i) {
      out[i] = tile.acc[row * head_dim + i] / tile.sum[row];
    }
  }
}

// Takes what `part` saw of other keys into `tile`.
void MergeTile(const AttentionTile& part, const AttentionTile& tile) {
  for (int64_t row = 0; row < tile.rows; ++row) {
    const float max = std::max(tile.max[row], part.max[row]);
    const float keep = std::exp(tile.max[row] - max);
    const float add = std::exp(part.max[row] - max);
    for (int64_t i = row * tile.head_dim; i < (row + 1) * tile.head_dim; ++i) {
      tile.acc[i] = tile.acc[i] * keep + part.acc[i] * add;
    }
    tile.sum[row] = tile.sum[row] * keep + part.sum[row] * add;
    tile.max[row] = max;
  }
}

// A few rows and many keys (fast mode only): every tile's keys are cut into `parts` spans for as many workers.
void AttendInParts(const Problem& problem, KeyRange all, int64_t parts, float* slices, int64_t slice_floats) {
  const int64_t rows = problem.q.rows;
  const int64_t part_keys = ((all.end - all.begin + parts - 1) / parts + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
  const int64_t first_key = all.begin / kKeyBlock * kKeyBlock;
  AttentionTile tiles[kMaxSlots];
  ParallelFor(problem.keys.kv_heads * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t span_begin = first_key + item % parts * part_keys;
      tiles[item] = TileIn(slices + item * slice_floats, rows * problem.group, problem.keys.head_dim);
      AttendTile(problem, {item / parts, 0, rows},
                 {std::max(all.begin, span_begin), std::min(all.end, span_begin + part_keys)}, tiles[item]);
    }
  });
  for (int64_t kv_head = 0; kv_head < problem.keys.kv_heads; ++kv_head) {
    const AttentionTile& tile = tiles[kv_head * parts];
    for (int64_t part = 1; part < parts; ++part) {
      MergeTile(tiles[kv_head * parts + part], tile);
    }
    WriteTile(problem, {kv_head, 0, rows}, tile);
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
  const KeyRange all = Union(ranges);
  if (UsesAttentionBF16(context, q.rows, group, all.end - all.begin)) {
    AttentionBF16(q, group, keys, ranges, all, out, scratch);
    return;
  }
  const Problem problem{context, q, keys, ranges, out, group, TileSteps(q.rows, group)};
  const int64_t tiles = (q.rows + problem.tile_steps - 1) / problem.tile_steps;
  const int64_t items = tiles * keys.kv_heads;
  // A problem too small for a second worker stays on this one.
  const bool is_small = q.rows * heads * (all.end - all.begin) * keys.head_dim < kTaskProducts;
  const int64_t slots = is_small ? 1 : std::min<int64_t>(kMaxSlots, NumWorkers());
  const int64_t tile_rows = problem.tile_steps * group;
  const int64_t slice_floats = SliceFloats(tile_rows, keys.head_dim);
  float* slices = scratch.Allocate<float>(slots * slice_floats);
  const int64_t parts = std::min(slots / items, (all.end - all.begin) / kMinPartKeys);
  if (context.mode == Mode::kFast && tiles == 1 && parts > 1) {
    AttendInParts(problem, all, parts, slices, slice_floats);
    return;
  }
  ParallelForSlots(items, slots, [&](int64_t slot, int64_t item) {
    // Last tiles first: under a causal mask they are the long ones.
    const int64_t first = (tiles - 1 - item / keys.kv_heads) * problem.tile_steps;
    const TileRows rows{item % keys.kv_heads, first, std::min(problem.tile_steps, q.rows - first)};
    AttentionTile tile = TileIn(slices + slot * slice_floats, tile_rows, keys.head_dim);
    AttendTile(problem, rows, Union(ranges.subspan(static_cast<size_t>(first), static_cast<size_t>(rows.steps))), tile);
    WriteTile(problem, rows, tile);
  });
}

size_t AttentionScratchBytes(int64_t rows, int64_t heads, int64_t head_dim, int64_t max_keys) {
  const int64_t tile_rows = std::min(kMaxTileRows, rows * heads);
  return std::max(static_cast<size_t>(kMaxSlots * SliceFloats(tile_rows, head_dim)) * sizeof(float),
                  AttentionBF16ScratchBytes(head_dim, max_keys));
}

}  // namespace percept::ops
