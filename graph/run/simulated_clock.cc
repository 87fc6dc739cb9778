// SPDX-License-Identifier: Apache-2.0
#include "graph/run/simulated_clock.h"

#include <algorithm>
#include <chrono>

namespace percept::graph {

Duration SimulatedClock::Now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

WallTime SimulatedClock::WallNow() const {
  return WallTime() + std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(Now().nanoseconds()));
}

bool SimulatedClock::Arm(Timer& timer, Duration at) {
  const std::lock_guard lock(mutex_);
  return timers_.Arm(timer, at);
}

bool SimulatedClock::Disarm(Timer& timer) {
  const std::lock_guard lock(mutex_);
  return timers_.Disarm(timer);
}

void SimulatedClock::OnIdle() {
  const std::lock_guard lock(mutex_);
  if (timers_.empty()) return;
  now_ = std::max(now_, timers_.first_at());
  timers_.FireDue(now_);
}

std::optional<Duration> SimulatedClock::next() const {
  const std::lock_guard lock(mutex_);
  return timers_.empty() ? std::nullopt : std::optional(timers_.first_at());
}

void SimulatedClock::Advance(Duration duration) {
  const std::lock_guard lock(mutex_);
  const Duration end = now_ + duration;
  while (!timers_.empty() && timers_.first_at() <= end) {
    now_ = std::max(now_, timers_.first_at());
    timers_.FireDue(now_);
  }
  now_ = end;
}

}  // namespace percept::graph
