// SPDX-License-Identifier: Apache-2.0
#include "engine/prefix_cache.h"

#include <algorithm>
#include <new>
#include <utility>

namespace percept {
namespace {

bool IsThere(const Prefix& prefix) { return prefix.snapshot->taken(); }

}  // namespace

PrefixCache::PrefixCache(KvPool& pool, int64_t max_bytes) : pool_(pool), max_bytes_(max_bytes) {}

std::shared_ptr<const Prefix> PrefixCache::Find(const Sequence& sequence) const {
  std::shared_ptr<const Prefix> longest;
  for (const auto& prefix : prefixes_) {
    if (IsThere(*prefix) && (longest == nullptr || prefix->num_rows() > longest->num_rows()) &&
        sequence.MayStartBehind(*prefix)) {
      longest = prefix;
    }
  }
  return longest;
}

bool PrefixCache::IsComing(const Sequence& sequence, int64_t num_rows) const {
  return std::any_of(prefixes_.begin(), prefixes_.end(), [&](const auto& prefix) {
    return !IsThere(*prefix) && prefix->num_rows() > num_rows && prefix->priority >= sequence.urgency.priority &&
           sequence.MayStartBehind(*prefix);
  });
}

void PrefixCache::Touch(const Prefix& prefix) {
  const auto place =
      std::find_if(prefixes_.begin(), prefixes_.end(), [&](const auto& other) { return other.get() == &prefix; });
  if (place != prefixes_.end()) {
    std::rotate(place, place + 1, prefixes_.end());
  }
}

int64_t PrefixCache::Prepare(Sequence& sequence) {
  if (max_bytes_ == 0) {
    return 0;
  }
  int64_t num_unkept = 0;
  for (const int64_t row : CutRows(sequence.request)) {
    if (row > sequence.num_rows_done && !sequence.CutsRun(row) && !PrepareAt(sequence, row)) {
      ++num_unkept;
    }
  }
  return num_unkept;
}

bool PrefixCache::PrepareAt(Sequence& sequence, int64_t num_rows) try {
  const bool is_known = std::any_of(prefixes_.begin(), prefixes_.end(), [&](const auto& prefix) {
    return prefix->num_rows() == num_rows && prefix->Begins(sequence.request);
  });
  if (is_known) {
    return true;
  }
  auto prefix = std::make_shared<Prefix>(sequence.request, num_rows);
  prefixes_.reserve(prefixes_.size() + 1);
  sequence.unfilled.reserve(sequence.unfilled.size() + 1);
  prefix->snapshot = pool_.ReserveSnapshot(num_rows);
  if (prefix->snapshot == nullptr || prefix->size_bytes() > max_bytes_) {
    return false;
  }
  while (size_bytes_ + prefix->size_bytes() > max_bytes_) {
    EvictOldest(nullptr);
  }
  size_bytes_ += prefix->size_bytes();
  sequence.unfilled.push_back(prefix);
  prefixes_.push_back(std::move(prefix));
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

void PrefixCache::Fill(Sequence& sequence) {
  std::erase_if(sequence.unfilled, [&](const std::shared_ptr<Prefix>& prefix) {
    if (prefix->num_rows() > sequence.cache->num_positions()) {
      return false;
    }
    if (prefix->snapshot != nullptr) {
      prefix->snapshot->Take(*sequence.cache);
    }
    return true;
  });
}

void PrefixCache::Abandon(Sequence& sequence) {
  for (const auto& prefix : sequence.unfilled) {
    Evict(*prefix);
  }
  sequence.unfilled.clear();
}

bool PrefixCache::EvictOldest(const Prefix* kept) {
  const auto oldest =
      std::find_if(prefixes_.begin(), prefixes_.end(), [&](const auto& prefix) { return prefix.get() != kept; });
  if (oldest == prefixes_.end()) {
    return false;
  }
  Erase(oldest);
  return true;
}

void PrefixCache::Evict(const Prefix& prefix) {
  const auto place =
      std::find_if(prefixes_.begin(), prefixes_.end(), [&](const auto& other) { return other.get() == &prefix; });
  if (place != prefixes_.end()) {
    Erase(place);
  }
}

void PrefixCache::Erase(std::vector<std::shared_ptr<Prefix>>::iterator place) {
  size_bytes_ -= (*place)->size_bytes();
  (*place)->snapshot.reset();  // its sequence may hold the rest a while
  prefixes_.erase(place);
}

}  // namespace percept
