// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "graph/packet/time.h"

namespace percept::graph {

// Items and media time that nodes of a pipeline keep multiply along it without end; beyond these bounds one more makes
// no difference to anybody.
inline constexpr int64_t kMostItems = int64_t{1} << 40;
inline constexpr Duration kMostTime = Duration::Nanoseconds(int64_t{1} << 61);  // 73 years

// Of numbers that are not negative; at most kMostItems.
inline int64_t Plus(int64_t a, int64_t b) {
  return std::min(kMostItems, std::min(a, kMostItems) + std::min(b, kMostItems));
}
inline int64_t Times(int64_t a, int64_t b) {
  return a != 0 && b > kMostItems / a ? kMostItems : std::min(kMostItems, a * b);
}

// At most kMostTime.
inline Duration Plus(Duration a, Duration b) {
  return std::min(kMostTime, std::min(a, kMostTime) + std::min(b, kMostTime));
}
inline Duration Times(Duration a, int64_t b) {
  const double seconds = a.seconds() * static_cast<double>(b);
  return seconds < kMostTime.seconds() ? Duration::Seconds(seconds) : kMostTime;
}

}  // namespace percept::graph
