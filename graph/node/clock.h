// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "graph/packet/packet.h"
#include "graph/packet/time.h"

namespace percept::graph {

// Something that is due at a time of a clock. Belongs to whoever arms it; disarmed before it is destroyed.
class Timer {
 public:
  // Of timers due at one instant the lowest `order` fires first; equal ones as they were armed.
  explicit Timer(int64_t order) : order_(order) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() = default;

  // Its time has come; it is no longer armed. Called under the clock's lock, on a thread of the clock's choice: short,
  // and without a call of the clock.
  virtual void OnTimer() = 0;

 private:
  friend class TimerQueue;
  const int64_t order_;
  bool armed_ = false;
  Duration at_;
  uint64_t sequence_ = 0;
};

// What a run takes its time from: never steps back. All functions from any thread, except that OnTimer calls none.
class Clock {
 public:
  virtual ~Clock() = default;
  // Since a moment of the clock's own choice.
  virtual Duration Now() const = 0;
  // The same moment as a wall time, for records.
  virtual WallTime WallNow() const = 0;

  // `timer` fires once, as soon as Now() is `at` or later; a timer that was armed moves. Returns whether it was armed.
  virtual bool Arm(Timer& timer, Duration at) = 0;
  // `timer` does not fire, and is not firing, once this has returned. Returns whether it was armed.
  virtual bool Disarm(Timer& timer) = 0;
  // A graph can do nothing until one of its timers fires: a simulated clock moves on.
  virtual void OnIdle() {}
};

}  // namespace percept::graph
