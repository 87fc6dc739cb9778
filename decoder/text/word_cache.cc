// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/word_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace percept {

WordCache::WordCache(size_t num_text_bytes) {
  constexpr size_t kShortText_bytes = 1 << 14;
  constexpr size_t kMaxEntries = 1 << 15;
  if (num_text_bytes < kShortText_bytes) return;
  entries_.resize(std::min(kMaxEntries, std::bit_ceil(num_text_bytes / 128)));
}

size_t WordCache::SlotOf(std::string_view word) const {
  constexpr uint64_t kOddNearGoldenRatio = 0x9E3779B97F4A7C15;
  uint64_t hash = word.size();
  while (!word.empty()) {
    uint64_t part = 0;
    const size_t num_bytes = std::min(word.size(), sizeof part);
    std::memcpy(&part, word.data(), num_bytes);
    hash = (hash ^ part) * kOddNearGoldenRatio;
    hash ^= hash >> 32;
    word.remove_prefix(num_bytes);
  }
  return hash & (entries_.size() - 1);
}

std::span<const int32_t> WordCache::Find(std::string_view word) const {
  if (entries_.empty() || word.size() > kMaxBytes) return {};
  const Entry& entry = entries_[SlotOf(word)];
  if (std::string_view(entry.bytes.data(), entry.num_bytes) != word) return {};
  return std::span(entry.ids).first(entry.num_ids);
}

void WordCache::Keep(std::string_view word, std::span<const int32_t> ids) {
  if (entries_.empty() || word.size() > kMaxBytes || ids.size() > kMaxIds) return;
  Entry& entry = entries_[SlotOf(word)];
  entry.num_bytes = static_cast<uint8_t>(word.size());
  entry.num_ids = static_cast<uint8_t>(ids.size());
  std::copy(word.begin(), word.end(), entry.bytes.begin());
  std::copy(ids.begin(), ids.end(), entry.ids.begin());
}

}  // namespace percept
