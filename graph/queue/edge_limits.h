// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/packet/time.h"

namespace percept::graph {

// What a full edge does with the next packet. Error packets are never dropped: a policy passes over them, and an edge
// that holds nothing else makes its producer wait.
enum class DropPolicy {
  kBlock,       // the producer waits
  kDropOldest,  // the oldest packets go, until there is room
  kDropNewest,  // the new packet goes
  kLatest,      // only the newest packet stays, full or not
  kFail,        // the producer fails
};

// "block", "drop_oldest", "drop_newest", "latest", "fail": the words of pipeline files.
const char* ToString(DropPolicy policy);
// Nothing for any other word.
std::optional<DropPolicy> ParseDropPolicy(std::string_view word);
std::vector<std::string> DropPolicyWords();

// How much an edge holds, and what happens beyond it. Full at the first of its limits. Bytes are Packet::bytes; a
// single packet of more than `bytes` is let onto an empty edge, alone.
struct EdgeLimits {
  size_t packets = 8;
  size_t bytes = size_t{256} << 20;
  Duration time{};  // between the oldest and the newest packet on it; zero: not limited
  DropPolicy policy = DropPolicy::kBlock;
  // A packet gives its item's credit back when it comes onto the edge: what lies here is the state of a join.
  bool releases_credits = false;
};

}  // namespace percept::graph
