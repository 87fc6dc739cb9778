// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace percept {

struct Merge {
  uint32_t rank = 0;  // lower goes first
  int32_t result = 0;
};

// Which two neighbouring pieces join, and to what.
class MergeTable {
 public:
  // Room for num_merges; no more may be added.
  explicit MergeTable(size_t num_merges);

  // False where the pair is there already.
  bool Add(int32_t left, int32_t right, Merge merge);
  const Merge* Find(int32_t left, int32_t right) const;

 private:
  struct Slot {
    uint64_t key;
    Merge merge;
  };

  size_t FirstSlot(uint64_t key) const;

  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
};

}  // namespace percept
