// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/packet/packet.h"

namespace percept::graph {

// What any packet takes beside its payload (Packet::bytes).
inline constexpr size_t kLeastPacketBytes = Packet::OverheadBytes() + sizeof(Item) + kSharedCountBytes;

// What has to lie on an edge for the graph to go on.
struct HeldBack {
  size_t packets = 1;  // at least
  bool waits = false;  // while another branch fills: perhaps more than that
};

// Where branches of one node meet again in a join, each edge into it must hold what comes while the slowest branch
// fills its windows and batches, and what is at work in the instances of its nodes. Sizes the edges that the file
// leaves open, and says for each edge what it must hold. Throws DefinitionError for a stated limit on which the graph
// would, or at another rate of packets could, stand still, with the one that is needed; warns where that depends on how
// large packets are, and where the limit only slows the graph.
std::vector<HeldBack> SizeFanOuts(CheckedGraph& graph);

}  // namespace percept::graph
