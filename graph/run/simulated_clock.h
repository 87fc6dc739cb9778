// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <optional>

#include "graph/node/clock.h"
#include "graph/run/timer_queue.h"

namespace percept::graph {

// Time that moves only when a graph is idle: to its next timer, at once. Starts at zero, which is 1970 on the wall.
class SimulatedClock : public Clock {
 public:
  Duration Now() const override;
  WallTime WallNow() const override;
  bool Arm(Timer& timer, Duration at) override;
  bool Disarm(Timer& timer) override;
  // Moves to the first timer and fires all that are due then.
  void OnIdle() override;

  // When the first timer is due; nothing where none is armed.
  std::optional<Duration> next() const;

  // Moves on by `duration` and fires what falls due on the way, each at its time. For tests of things outside a graph.
  void Advance(Duration duration);

 private:
  mutable std::mutex mutex_;
  TimerQueue timers_;
  Duration now_;
};

}  // namespace percept::graph
