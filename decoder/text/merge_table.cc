// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/merge_table.h"

#include <algorithm>
#include <bit>

namespace percept {
namespace {

constexpr uint64_t kEmpty = ~uint64_t{0};

uint64_t Key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

}  // namespace

MergeTable::MergeTable(size_t num_merges)
    : slots_(std::bit_ceil(std::max<size_t>(16, 2 * num_merges)), Slot{kEmpty, {}}) {}

size_t MergeTable::FirstSlot(uint64_t key) const {
  // Multiplicative hashing: the upper bits of the product depend on all of the key.
  constexpr uint64_t kOddNearGoldenRatio = 0x9E3779B97F4A7C15;
  const uint64_t mixed = (key ^ key >> 32) * kOddNearGoldenRatio;
  return (mixed >> 32) & (slots_.size() - 1);
}

bool MergeTable::Add(int32_t left, int32_t right, Merge merge) {
  const uint64_t key = Key(left, right);
  size_t slot = FirstSlot(key);
  for (; slots_[slot].key != kEmpty; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot].key == key) return false;
  }
  slots_[slot] = {key, merge};
  return true;
}

const Merge* MergeTable::Find(int32_t left, int32_t right) const {
  const uint64_t key = Key(left, right);
  for (size_t slot = FirstSlot(key); slots_[slot].key != kEmpty; slot = (slot + 1) & (slots_.size() - 1)) {
    if (slots_[slot].key == key) return &slots_[slot].merge;
  }
  return nullptr;
}

}  // namespace percept
