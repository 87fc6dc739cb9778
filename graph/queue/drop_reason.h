// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace percept::graph {

// Why an edge or the join behind it let a packet go.
enum class DropReason {
  kFullOldest,  // the edge was full: the oldest went
  kFullNewest,  // the edge was full: the new one went
  kLatest,      // a newer one came
  kGroup,       // of no use without one that was dropped before it: up to the next key packet
  kLate,        // a set of its time had been made without it
  kOutside,     // in no window: they are farther apart than they are long
  kStall,       // the graph could not go on otherwise
};
inline constexpr size_t kNumDropReasons = 7;

// "full_oldest", "full_newest", "latest", "group", "late", "outside", "stall": the words of reports.
const char* ToString(DropReason reason);

}  // namespace percept::graph
