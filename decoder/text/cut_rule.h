// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace percept {

// Where a segment may be cut into words without changing its pieces: between two code points that no merge brings
// together, the last of its left piece and the first of its right one. Words are then short (a newline, a tab and a
// space are such places nearly everywhere), and a long line takes linear time.
class CutRule {
 public:
  CutRule() : joins_(kNumBits / 64) {}

  // Every merge of the table must be told before the first question. Both are UTF-8 and not empty.
  void AddMerge(std::string_view left, std::string_view right);
  // Whether text may be cut between two neighbouring code points. "No" may be wrong now and then, "yes" never is.
  bool CanCut(char32_t before, char32_t after) const {
    const size_t bit = BitOf(before, after);
    return (joins_[bit / 64] >> (bit % 64) & 1) == 0;
  }

 private:
  // One bit for each two of ASCII, and a hash of all others: a set that takes others' bits for its own at worst.
  static constexpr size_t kNumAsciiBits = 128 * 128;
  static constexpr size_t kNumHashedBits = size_t{1} << 20;
  static constexpr size_t kNumBits = kNumAsciiBits + kNumHashedBits;

  static size_t BitOf(char32_t before, char32_t after) {
    if ((before | after) < 128) return before * 128 + after;
    constexpr uint64_t kOddNearGoldenRatio = 0x9E3779B97F4A7C15;
    const uint64_t mixed = (uint64_t{before} << 32 | after) * kOddNearGoldenRatio;
    return kNumAsciiBits + (mixed >> 44);
  }

  std::vector<uint64_t> joins_;
};

}  // namespace percept
