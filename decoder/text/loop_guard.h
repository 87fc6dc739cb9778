// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace percept {

// Notices an answer that goes round in a loop: it ends in a block of at most kMaxPeriod tokens written max_repeats
// times in a row. Small models read a blurred page like this until the context is full.
class LoopGuard {
 public:
  static constexpr int kMaxPeriod = 64;

  // max_repeats: at least 2; 0 notices nothing.
  explicit LoopGuard(int64_t max_repeats) : max_repeats_(max_repeats) {}

  // The next token of the answer. True where the answer goes round in a loop with it. Takes O(kMaxPeriod).
  bool Push(int32_t id);

 private:
  int64_t max_repeats_;
  int64_t num_tokens_ = 0;
  std::array<int32_t, kMaxPeriod> last_{};     // the newest at num_tokens_ % kMaxPeriod - 1
  std::array<int64_t, kMaxPeriod> matches_{};  // by period - 1: how many tokens in a row equal the one a period before
};

}  // namespace percept
