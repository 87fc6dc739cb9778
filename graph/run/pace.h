// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "graph/node/clock.h"

namespace percept::graph {

// A node gives way to others after so many calls, or so much time: long enough to make queueing cheap, short enough
// that what is nearer to the sink soon runs first.
inline constexpr unsigned kMaxCallsPerRun = 32;
// By the clock of the run: on a simulated one, the same graph does the same again.
inline constexpr Duration kMaxRunTime = Duration::Nanoseconds(100000);

// The time of one run. Reading the clock costs as much as a trivial call: it is read after the first call, and then
// when half of what is left would be gone at the pace so far.
class Pace {
 public:
  explicit Pace(const Clock& clock) : clock_(clock), start_(clock.Now()) {}

  bool IsOver(unsigned calls) {
    if (calls < next_look_) return false;
    const int64_t time_ns = (clock_.Now() - start_).nanoseconds();
    const int64_t left_ns = kMaxRunTime.nanoseconds() - time_ns;
    if (left_ns <= 0) return true;
    // One nanosecond more: a clock may stand still.
    next_look_ = calls + std::max<unsigned>(1, static_cast<unsigned>(calls * left_ns / (2 * time_ns + 1)));
    return false;
  }

 private:
  const Clock& clock_;
  const Duration start_;
  unsigned next_look_ = 1;
};

}  // namespace percept::graph
