// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>

#include "graph/node/clock.h"

namespace percept::graph {

// The armed timers of a clock, in the order (time, order, armed). Not thread-safe.
class TimerQueue {
 public:
  // Each returns whether the timer was armed.
  bool Arm(Timer& timer, Duration at);
  bool Disarm(Timer& timer);

  bool empty() const { return timers_.empty(); }
  // Of the first timer; there must be one.
  Duration first_at() const { return (*timers_.begin())->at_; }
  // Fires the timers that are due at `now`.
  void FireDue(Duration now);

 private:
  struct FiresEarlier {
    bool operator()(const Timer* a, const Timer* b) const;
  };
  std::set<Timer*, FiresEarlier> timers_;
  uint64_t next_sequence_ = 0;
};

}  // namespace percept::graph
