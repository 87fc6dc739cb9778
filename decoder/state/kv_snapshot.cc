// SPDX-License-Identifier: Apache-2.0
#include "decoder/state/kv_snapshot.h"

#include <algorithm>
#include <cstring>

#include "decoder/state/kv_cache.h"
#include "kernels/core/check.h"

namespace percept {

KvSnapshot::KvSnapshot(KvPool& pool, int64_t num_positions)
    : pool_(pool),
      num_positions_(num_positions),
      num_ring_rows_(std::min(num_positions, pool.layout().window - 1)),
      ring_rows_(static_cast<size_t>(num_ring_rows_ * pool.layout().ring_row_bytes())) {
  blocks_.reserve(static_cast<size_t>(pool.layout().NumBlocks(num_positions)));
}

KvSnapshot::~KvSnapshot() { pool_.GiveBack(*this); }

int64_t KvSnapshot::size_bytes() const {
  const KvLayout& layout = pool_.layout();
  return layout.NumBlocks(num_positions_) * layout.block_bytes() + num_ring_rows_ * layout.ring_row_bytes();
}

template <typename Visit>
void KvSnapshot::ForEachRow(const KvLayout& layout, Visit visit) const {
  auto* copy = reinterpret_cast<float*>(ring_rows_.get());
  for (const KvLayout::Layer& layer : layout.layers) {
    if (layer.kind != AttentionKind::kSliding) {
      continue;
    }
    for (const int64_t offset : {layer.k_offset, layer.v_offset}) {
      for (int64_t position = num_positions_ - num_ring_rows_; position < num_positions_; ++position) {
        visit(layer, position, offset, copy);
        copy += layer.width();
      }
    }
  }
}

void KvSnapshot::Take(const KvCache& cache) {
  const int64_t num_behind = cache.num_positions() - num_positions_;
  PERCEPT_CHECK(!taken_ && num_behind >= 0 && num_behind <= cache.layout().max_segment_rows);
  taken_ = true;
  for (int64_t i = 0; i < pool_.layout().NumBlocks(num_positions_); ++i) {
    blocks_.push_back(cache.blocks_[static_cast<size_t>(i)]);
    pool_.Use(*blocks_.back(), /*by_cache=*/false);
  }
  ForEachRow(cache.layout(), [&](const KvLayout::Layer& layer, int64_t position, int64_t offset, float* copy) {
    std::copy_n(cache.SlotRow(layer, position, offset), layer.width(), copy);
  });
}

// Here, beside its counterpart.
void KvCache::Restore(const KvSnapshot& snapshot) {
  PERCEPT_CHECK(num_positions_ == 0 && snapshot.taken_ && snapshot.num_positions_ < max_positions_);
  const int64_t num_shared = snapshot.num_positions_ / KvLayout::kBlockRows;
  if (num_shared < static_cast<int64_t>(snapshot.blocks_.size())) {
    const auto tail = static_cast<size_t>(num_shared);
    std::memcpy(blocks_[tail]->memory.get(), snapshot.blocks_[tail]->memory.get(),
                static_cast<size_t>(layout_.block_bytes()));
  }
  snapshot.ForEachRow(layout_, [&](const KvLayout::Layer& layer, int64_t position, int64_t offset, const float* copy) {
    std::copy_n(copy, layer.width(), SlotRow(layer, position, offset));
  });
  num_positions_ = snapshot.num_positions_;
}

}  // namespace percept
