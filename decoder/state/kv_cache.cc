// SPDX-License-Identifier: Apache-2.0
#include "decoder/state/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/error.h"

namespace percept {

KvCache::KvCache(KvPool& pool, KvLayout layout, int64_t max_positions, std::vector<std::shared_ptr<KvBlock>> blocks)
    : pool_(pool),
      layout_(std::move(layout)),
      max_positions_(max_positions),
      blocks_(std::move(blocks)),
      rings_(static_cast<size_t>(layout_.ring_bytes())) {
  for (const KvLayout::Layer& layer : layout_.layers) {
    table_starts_.push_back(static_cast<int64_t>(tables_.size()));
    for (const int64_t offset : {layer.k_offset, layer.v_offset}) {
      if (layer.kind == AttentionKind::kSliding) {
        tables_.push_back(reinterpret_cast<const float*>(rings_.get()) + offset);
        continue;
      }
      for (const auto& block : blocks_) {
        tables_.push_back(reinterpret_cast<const float*>(block->memory.get()) + offset);
      }
    }
  }
}

KvCache::~KvCache() { pool_.GiveBack(*this); }

float* KvCache::SlotRow(const KvLayout::Layer& layer, int64_t position, int64_t offset) const {
  if (layer.kind == AttentionKind::kSliding) {
    return reinterpret_cast<float*>(rings_.get()) + offset + position % layout_.ring_rows * layer.width();
  }
  const KvBlock& block = *blocks_[static_cast<size_t>(position / KvLayout::kBlockRows)];
  return reinterpret_cast<float*>(block.memory.get()) + offset + position % KvLayout::kBlockRows * layer.width();
}

void KvCache::Store(int layer_idx, int64_t first_position, ConstMatrixView k, ConstMatrixView v) {
  const KvLayout::Layer& layer =
      layout_.layers[static_cast<size_t>(layout_.layer_places[static_cast<size_t>(layer_idx)])];
  PERCEPT_CHECK(layer.layer_idx == layer_idx);  // a layer never writes its donor's keys and values
  PERCEPT_CHECK(k.rows == v.rows && k.cols == layer.width() && v.cols == layer.width());
  PERCEPT_CHECK(k.rows <= layout_.max_segment_rows && first_position >= num_positions_);
  PERCEPT_CHECK(first_position + k.rows <= max_positions_);
  const size_t row_bytes = static_cast<size_t>(layer.width()) * sizeof(float);
  for (int64_t row = 0; row < k.rows; ++row) {
    std::memcpy(SlotRow(layer, first_position + row, layer.k_offset), k.row(row), row_bytes);
    std::memcpy(SlotRow(layer, first_position + row, layer.v_offset), v.row(row), row_bytes);
  }
}

ops::KeyValueView KvCache::View(int layer_idx) const {
  const size_t place = static_cast<size_t>(layout_.layer_places[static_cast<size_t>(layer_idx)]);
  const KvLayout::Layer& layer = layout_.layers[place];
  const bool is_ring = layer.kind == AttentionKind::kSliding;
  const int64_t num_blocks = is_ring ? 1 : static_cast<int64_t>(blocks_.size());
  const int64_t block_rows = is_ring ? layout_.ring_rows : KvLayout::kBlockRows;
  const float* const* table = tables_.data() + table_starts_[place];
  return {.k_blocks = table,
          .v_blocks = table + num_blocks,
          .block_rows = block_rows,
          .capacity = num_blocks * block_rows,
          .kv_heads = layer.kv_heads,
          .head_dim = layer.head_dim};
}

void KvCache::Advance(int64_t rows) {
  PERCEPT_CHECK(rows >= 0 && num_positions_ + rows <= max_positions_);
  num_positions_ += rows;
}

void KvCache::Retract(int64_t rows) {
  PERCEPT_CHECK(rows >= 0 && rows <= num_positions_ && rows < layout_.max_segment_rows);
  num_positions_ -= rows;
}

namespace {

int64_t RequirePositive(int64_t value, const char* name) {
  if (value <= 0) {
    throw ArgumentError("KV pool: " + std::string(name) + " is " + std::to_string(value) + ", expected at least 1");
  }
  return value;
}

}  // namespace

KvPool::KvPool(const TextConfig& config, int64_t max_segment_rows, int64_t max_bytes)
    : layout_(config, RequirePositive(max_segment_rows, "max_segment_rows")),
      max_bytes_(RequirePositive(max_bytes, "max_bytes")) {}

std::unique_ptr<KvCache> KvPool::Reserve(int64_t max_positions, int64_t segment_rows, const KvSnapshot* start) {
  RequirePositive(max_positions, "max_positions");
  KvLayout layout = layout_.WithRoomFor(segment_rows);
  if (layout.SequenceBytes(max_positions) > max_bytes_) {
    throw InputError("a sequence of " + std::to_string(max_positions) + " tokens needs " +
                     std::to_string(layout.SequenceBytes(max_positions)) +
                     " bytes for its keys and values, the KV limit is " + std::to_string(max_bytes_));
  }
  std::vector<std::shared_ptr<KvBlock>> blocks;
  blocks.reserve(static_cast<size_t>(layout_.NumBlocks(max_positions)));
  if (start != nullptr) {
    const int64_t num_shared =
        std::min(static_cast<int64_t>(start->blocks_.size()), start->num_positions() / KvLayout::kBlockRows);
    blocks.assign(start->blocks_.begin(), start->blocks_.begin() + num_shared);
  }
  const int64_t num_new = layout_.NumBlocks(max_positions) - static_cast<int64_t>(blocks.size());
  const int64_t needed_bytes = num_new * layout_.block_bytes() + layout.ring_bytes();
  if (reserved_bytes() + needed_bytes > max_bytes_) {
    return nullptr;
  }
  for (int64_t i = 0; i < num_new; ++i) {
    blocks.push_back(TakeBlock());
  }
  TrimFreeBlocks(max_bytes_ - reserved_bytes() - needed_bytes);
  free_blocks_.reserve(free_blocks_.size() + static_cast<size_t>(blocks_in_use_ + num_new));  // GiveBack may not throw
  std::unique_ptr<KvCache> cache(new KvCache(*this, std::move(layout), max_positions, std::move(blocks)));
  ring_bytes_ += cache->layout().ring_bytes();
  for (const auto& block : cache->blocks_) {
    Use(*block, /*by_cache=*/true);
  }
  if (start != nullptr) {
    cache->Restore(*start);
  }
  return cache;
}

bool KvPool::HasRoomBesideCaches(int64_t max_positions, int64_t segment_rows) const {
  const int64_t needed_bytes = layout_.WithRoomFor(segment_rows).SequenceBytes(max_positions);
  return blocks_of_caches_ * layout_.block_bytes() + ring_bytes_ + needed_bytes <= max_bytes_;
}

std::unique_ptr<KvSnapshot> KvPool::ReserveSnapshot(int64_t num_positions) {
  RequirePositive(num_positions, "num_positions");
  const int64_t needed_bytes = std::min(num_positions, layout_.window - 1) * layout_.ring_row_bytes();
  if (reserved_bytes() + needed_bytes > max_bytes_) {
    return nullptr;
  }
  TrimFreeBlocks(max_bytes_ - reserved_bytes() - needed_bytes);
  std::unique_ptr<KvSnapshot> snapshot(new KvSnapshot(*this, num_positions));
  snapshot_ring_bytes_ += needed_bytes;
  return snapshot;
}

std::shared_ptr<KvBlock> KvPool::TakeBlock() {
  if (free_blocks_.empty()) {
    return std::make_shared<KvBlock>(KvBlock{Buffer(static_cast<size_t>(layout_.block_bytes()))});
  }
  std::shared_ptr<KvBlock> block = std::move(free_blocks_.back());
  free_blocks_.pop_back();
  return block;
}

void KvPool::TrimFreeBlocks(int64_t max_free_bytes) {
  const int64_t kept = layout_.block_bytes() > 0 ? max_free_bytes / layout_.block_bytes() : 0;
  free_blocks_.resize(static_cast<size_t>(std::min(kept, static_cast<int64_t>(free_blocks_.size()))));
}

void KvPool::Use(KvBlock& block, bool by_cache) {
  blocks_in_use_ += block.num_uses++ == 0 ? 1 : 0;
  blocks_of_caches_ += by_cache && block.num_caches++ == 0 ? 1 : 0;
}

void KvPool::GiveBack(std::vector<std::shared_ptr<KvBlock>>& blocks, bool by_cache) {
  for (std::shared_ptr<KvBlock>& block : blocks) {
    blocks_of_caches_ -= by_cache && --block->num_caches == 0 ? 1 : 0;
    if (--block->num_uses == 0) {
      --blocks_in_use_;
      free_blocks_.push_back(std::move(block));
    }
  }
}

void KvPool::GiveBack(KvCache& cache) {
  ring_bytes_ -= cache.layout().ring_bytes();
  GiveBack(cache.blocks_, /*by_cache=*/true);
}

void KvPool::GiveBack(KvSnapshot& snapshot) {
  snapshot_ring_bytes_ -= snapshot.num_ring_rows_ * layout_.ring_row_bytes();
  GiveBack(snapshot.blocks_, /*by_cache=*/false);
}

}  // namespace percept
