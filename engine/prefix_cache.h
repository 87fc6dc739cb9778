// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "decoder/state/kv_cache.h"
#include "decoder/state/kv_snapshot.h"
#include "engine/prefix.h"
#include "engine/sequence.h"

namespace percept {

// The beginnings of prompts that are kept for the next ones, found again by their token ids and the content of their
// media. Bounded in bytes, of which the least recently used go first. A sequence computes a beginning once for all: it
// is entered when the sequence gets its place and filled as its prompt is read. One thread at a time; Prepare alone
// takes memory.
class PrefixCache {
 public:
  // max_bytes: of snapshots, ids and media; what beginnings share counts for each of them. 0 keeps none.
  PrefixCache(KvPool& pool, int64_t max_bytes);

  // The longest beginning that `sequence` can start behind, and that is there; null where none is.
  std::shared_ptr<const Prefix> Find(const Sequence& sequence) const;
  // Whether a longer one than `num_rows` is being computed, by a sequence that goes no later than this one.
  bool IsComing(const Sequence& sequence, int64_t num_rows) const;
  // Counts as the last that was used.
  void Touch(const Prefix& prefix);

  // Enters the beginnings that `sequence` is going to compute and nobody else does, as far as there is room. Returns
  // the number of those for which there was none.
  int64_t Prepare(Sequence& sequence);
  // Keeps of a sequence's cache what it has come to hold.
  void Fill(Sequence& sequence);
  // What the sequence has not filled is nobody's any more.
  void Abandon(Sequence& sequence);

  // Throws out the oldest but `kept`, which may be null; false where there is none.
  bool EvictOldest(const Prefix* kept);
  void Evict(const Prefix& prefix);

  int64_t size_bytes() const { return size_bytes_; }
  int64_t num_prefixes() const { return static_cast<int64_t>(prefixes_.size()); }

 private:
  // False where there is no room.
  bool PrepareAt(Sequence& sequence, int64_t num_rows);
  void Erase(std::vector<std::shared_ptr<Prefix>>::iterator place);

  KvPool& pool_;
  const int64_t max_bytes_;
  int64_t size_bytes_ = 0;
  std::vector<std::shared_ptr<Prefix>> prefixes_;  // the least recently used first
};

}  // namespace percept
