// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "graph/node/clock.h"
#include "graph/run/timer_queue.h"

namespace percept::graph {

// Real time since the clock was made. Timers fire on a thread of its own, which starts with the first of them and
// sleeps until the next is due.
class SteadyClock : public Clock {
 public:
  SteadyClock();
  // No timer may be armed.
  ~SteadyClock() override;

  Duration Now() const override;
  WallTime WallNow() const override;
  bool Arm(Timer& timer, Duration at) override;
  bool Disarm(Timer& timer) override;

 private:
  // Throws std::runtime_error where there is none to be had.
  std::thread StartThread();
  void FireTimers();

  const std::chrono::steady_clock::time_point start_;
  std::mutex mutex_;
  std::condition_variable changed_;
  TimerQueue timers_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace percept::graph
