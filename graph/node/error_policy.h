// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "graph/packet/time.h"

namespace percept::graph {

// After a TransientError: the same call again after a wait on the run clock, which doubles from try to try and varies
// by a quarter, so that many nodes do not try at once.
struct RetryPolicy {
  int64_t limit = 5;  // in a row; 0: for ever
  Duration first = Duration::Nanoseconds(200'000'000);
  Duration max = Duration::Nanoseconds(30'000'000'000);
};

// How often a node may fail before its graph stops: so often within `window` of the run clock it is made anew.
struct RestartPolicy {
  int64_t limit = 3;  // 0: the first failure stops the graph
  Duration window = Duration::Nanoseconds(60'000'000'000);
};

}  // namespace percept::graph
