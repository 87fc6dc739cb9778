// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/loop_guard.h"

#include <cstddef>

namespace percept {

bool LoopGuard::Push(int32_t id) {
  if (max_repeats_ == 0) return false;
  bool loops = false;
  for (int64_t period = 1; period <= kMaxPeriod && period <= num_tokens_; ++period) {
    const bool matches = last_[static_cast<size_t>((num_tokens_ - period) % kMaxPeriod)] == id;
    int64_t& count = matches_[static_cast<size_t>(period - 1)];
    count = matches ? count + 1 : 0;
    loops = loops || count >= period * (max_repeats_ - 1);
  }
  last_[static_cast<size_t>(num_tokens_ % kMaxPeriod)] = id;
  ++num_tokens_;
  return loops;
}

}  // namespace percept
