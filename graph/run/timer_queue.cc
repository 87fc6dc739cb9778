// SPDX-License-Identifier: Apache-2.0
#include "graph/run/timer_queue.h"

#include <tuple>

namespace percept::graph {

bool TimerQueue::FiresEarlier::operator()(const Timer* a, const Timer* b) const {
  return std::tie(a->at_, a->order_, a->sequence_) < std::tie(b->at_, b->order_, b->sequence_);
}

bool TimerQueue::Arm(Timer& timer, Duration at) {
  const bool was_armed = Disarm(timer);
  timer.armed_ = true;
  timer.at_ = at;
  timer.sequence_ = next_sequence_++;
  timers_.insert(&timer);
  return was_armed;
}

bool TimerQueue::Disarm(Timer& timer) {
  if (!timer.armed_) return false;
  timers_.erase(&timer);
  timer.armed_ = false;
  return true;
}

void TimerQueue::FireDue(Duration now) {
  while (!timers_.empty() && first_at() <= now) {
    Timer& timer = **timers_.begin();
    Disarm(timer);
    timer.OnTimer();
  }
}

}  // namespace percept::graph
