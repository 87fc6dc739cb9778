// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "decoder/state/kv_layout.h"
#include "kernels/core/tensor.h"
#include "kernels/ops/attention.h"

namespace percept {

class KvPool;

// The keys (normalised and rotated) and values (normalised) of one sequence. All memory is reserved when the pool hands
// it out; nothing is allocated while it fills. One thread at a time. Must not outlive its pool.
class KvCache {
 public:
  ~KvCache();
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  int64_t num_positions() const { return num_positions_; }  // that all layers hold
  int64_t max_positions() const { return max_positions_; }
  int64_t size_bytes() const { return layout_.SequenceBytes(max_positions_); }
  const KvLayout& layout() const { return layout_; }

  // Writes positions first_position... of a layer that owns its keys and values. k, v: [rows, kv_heads * head_dim].
  // A ring forgets what lies ring_rows behind, so rows are at most layout().max_segment_rows.
  void Store(int layer_idx, int64_t first_position, ConstMatrixView k, ConstMatrixView v);

  // What the layer attends to: its own keys and values, or its donor's.
  ops::KeyValueView View(int layer_idx) const;

  // `rows` more positions are in all layers.
  void Advance(int64_t rows);

 private:
  friend class KvPool;
  KvCache(KvPool& pool, KvLayout layout, int64_t max_positions, std::vector<Buffer> blocks);

  float* SlotRow(const KvLayout::Layer& layer, int64_t position, int64_t offset) const;

  KvPool& pool_;
  const KvLayout layout_;
  int64_t max_positions_;
  int64_t num_positions_ = 0;
  std::vector<Buffer> blocks_;  // of the full layers, in position order
  Buffer rings_;                // of the sliding layers
  // Block tables in the form that attention reads, one after the other: per own layer its key blocks, then its value
  // blocks (one block where the layer is a ring).
  std::vector<const float*> tables_;
  std::vector<int64_t> table_starts_;  // per own layer
};

// A bounded amount of memory for keys and values, shared by all sequences of a model. Used by one thread at a time.
class KvPool {
 public:
  // Throws ArgumentError when max_segment_rows or max_bytes is not positive.
  KvPool(const TextConfig& config, int64_t max_segment_rows, int64_t max_bytes);
  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;

  // Reserves room for a sequence of up to max_positions tokens, which may bring segments of segment_rows where that is
  // more than max_segment_rows. Null when there is not enough left now, and will be when other sequences end. Throws
  // InputError when the pool could not hold it even alone.
  std::unique_ptr<KvCache> Reserve(int64_t max_positions, int64_t segment_rows = 0);

  const KvLayout& layout() const { return layout_; }
  int64_t max_bytes() const { return max_bytes_; }
  int64_t reserved_bytes() const { return reserved_bytes_; }  // by living sequences

 private:
  friend class KvCache;
  Buffer TakeBlock();
  void TrimFreeBlocks(int64_t max_free_bytes);
  void GiveBack(KvCache& cache);

  KvLayout layout_;
  int64_t max_bytes_;
  int64_t reserved_bytes_ = 0;
  int64_t blocks_in_use_ = 0;
  std::vector<Buffer> free_blocks_;  // kept for the next sequence, within max_bytes
};

}  // namespace percept
