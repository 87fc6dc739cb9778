// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "decoder/state/kv_layout.h"
#include "kernels/core/tensor.h"

namespace percept {

class KvCache;
class KvPool;

// The keys and values of kBlockRows positions of all full layers. Positions are only ever appended, so caches and
// snapshots may share a block up to where they agree; a cache that would write behind that has a copy.
struct KvBlock {
  Buffer memory;
  int num_uses = 0;
  int num_caches = 0;  // among them
};

// What a cache held of its first positions, for other sequences that begin with the same rows. Blocks are shared; of
// the rings it has a copy of what the window of the next position shows. All memory is taken when the pool hands it
// out. One thread at a time. Must not outlive its pool.
class KvSnapshot {
 public:
  ~KvSnapshot();
  KvSnapshot(const KvSnapshot&) = delete;
  KvSnapshot& operator=(const KvSnapshot&) = delete;

  int64_t num_positions() const { return num_positions_; }
  int64_t size_bytes() const;  // with its blocks, shared or not

  // Once. The cache holds these positions, and at most max_segment_rows more: its rings have forgotten nothing of them.
  void Take(const KvCache& cache);
  bool taken() const { return taken_; }

 private:
  friend class KvCache;
  friend class KvPool;
  KvSnapshot(KvPool& pool, int64_t num_positions);

  // Of a sliding layer, the copied rows of its keys, then of its values.
  template <typename Visit>
  void ForEachRow(const KvLayout& layout, Visit visit) const;

  KvPool& pool_;
  const int64_t num_positions_;
  const int64_t num_ring_rows_;  // the last of the positions
  bool taken_ = false;
  Buffer ring_rows_;
  std::vector<std::shared_ptr<KvBlock>> blocks_;
};

}  // namespace percept
