// SPDX-License-Identifier: Apache-2.0
#include "graph/run/steady_clock.h"

#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>

namespace percept::graph {

SteadyClock::SteadyClock() : start_(std::chrono::steady_clock::now()) {}

SteadyClock::~SteadyClock() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Duration SteadyClock::Now() const {
  const auto since_start = std::chrono::steady_clock::now() - start_;
  return Duration::Nanoseconds(std::chrono::duration_cast<std::chrono::nanoseconds>(since_start).count());
}

WallTime SteadyClock::WallNow() const { return std::chrono::system_clock::now(); }

bool SteadyClock::Arm(Timer& timer, Duration at) {
  bool was_armed = false;
  {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = StartThread();
    was_armed = timers_.Arm(timer, at);
    if (timers_.first_at() < at) return was_armed;  // the thread looks again before this one is due
  }
  changed_.notify_all();
  return was_armed;
}

std::thread SteadyClock::StartThread() {
  try {
    return std::thread([this] { FireTimers(); });
  } catch (const std::system_error& error) {
    throw std::runtime_error(std::string("the thread of the clock cannot be made: ") + error.what());
  }
}

bool SteadyClock::Disarm(Timer& timer) {
  const std::lock_guard lock(mutex_);
  return timers_.Disarm(timer);
}

void SteadyClock::FireTimers() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    timers_.FireDue(Now());
    if (timers_.empty()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, start_ + std::chrono::nanoseconds(timers_.first_at().nanoseconds()));
    }
  }
}

}  // namespace percept::graph
