// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "decoder/state/kv_layout.h"
#include "decoder/state/kv_snapshot.h"
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
  // The last `rows` positions are in no layer any more: fewer than the segment had that brought them, so that the rings
  // still hold what the window of the position behind them shows.
  void Retract(int64_t rows);

 private:
  friend class KvPool;
  friend class KvSnapshot;
  KvCache(KvPool& pool, KvLayout layout, int64_t max_positions, std::vector<std::shared_ptr<KvBlock>> blocks);

  // The blocks that `snapshot` holds in full are this cache's already.
  void Restore(const KvSnapshot& snapshot);

  float* SlotRow(const KvLayout::Layer& layer, int64_t position, int64_t offset) const;

  KvPool& pool_;
  const KvLayout layout_;
  int64_t max_positions_;
  int64_t num_positions_ = 0;
  std::vector<std::shared_ptr<KvBlock>> blocks_;  // of the full layers, in position order
  Buffer rings_;                                  // of the sliding layers
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
  // more than max_segment_rows. It begins behind what `start` holds, where that is given: fewer positions than its own.
  // Null when there is not enough left now, and will be when other sequences end and snapshots go. Throws InputError
  // when the pool could not hold it even alone.
  std::unique_ptr<KvCache> Reserve(int64_t max_positions, int64_t segment_rows = 0, const KvSnapshot* start = nullptr);
  // Whether Reserve would have enough if there were no snapshots.
  bool HasRoomBesideCaches(int64_t max_positions, int64_t segment_rows) const;

  // Memory for what a cache holds of its first num_positions positions; its blocks go on being counted when the cache
  // has gone. Null when there is not enough left now.
  std::unique_ptr<KvSnapshot> ReserveSnapshot(int64_t num_positions);

  const KvLayout& layout() const { return layout_; }
  int64_t max_bytes() const { return max_bytes_; }
  // By living sequences and snapshots; a block that they share counts once.
  int64_t reserved_bytes() const { return blocks_in_use_ * layout_.block_bytes() + ring_bytes_ + snapshot_ring_bytes_; }

 private:
  friend class KvCache;
  friend class KvSnapshot;
  std::shared_ptr<KvBlock> TakeBlock();
  void TrimFreeBlocks(int64_t max_free_bytes);
  void Use(KvBlock& block, bool by_cache);
  void GiveBack(std::vector<std::shared_ptr<KvBlock>>& blocks, bool by_cache);
  void GiveBack(KvCache& cache);
  void GiveBack(KvSnapshot& snapshot);

  KvLayout layout_;
  int64_t max_bytes_;
  int64_t blocks_in_use_ = 0;
  int64_t blocks_of_caches_ = 0;                       // among them
  int64_t ring_bytes_ = 0;                             // of the caches
  int64_t snapshot_ring_bytes_ = 0;                    // of the copies in snapshots
  std::vector<std::shared_ptr<KvBlock>> free_blocks_;  // kept for the next sequence, within max_bytes
};

}  // namespace percept
