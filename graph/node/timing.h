// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "graph/packet/time.h"

namespace percept::graph {

// What a node keeps back before the first of it comes out again: `percept check` works out from it how much the edges
// beside the node must hold, how many items its source must have at work, and how late results are.
struct Timing {
  int64_t holds_items = 0;           // sets that must come in before the first goes out: a batch
  Duration holds_time{};             // the same in media time: a window
  std::optional<Duration> interval;  // between its outputs, where the node sets one
  int64_t takes_items = 1;           // sets for each that it sends something for
  bool is_selective = false;         // how many those are depends on what comes
  // How long, on the run clock, it keeps them at most; then they go on, however few there are.
  std::optional<Duration> max_wait;
  // What it holds is pending (NodeContext::Hold) and so keeps its items' credits; otherwise it gives them back, as
  // KeptPackets does.
  bool keeps_credits = false;
  // Lists are at the time of their last set, and bounds go on up to there: what passes it by waits for the next set,
  // not for the first list.
  bool is_dated_last = false;
};

}  // namespace percept::graph
