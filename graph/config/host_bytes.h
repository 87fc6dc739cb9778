// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/config/fan_out.h"

namespace percept::graph {

// Shares `limits: host_bytes` among the edges that state no bytes and the nodes that keep packets without a bound in
// bytes, by the packets that each may hold and with at least what it must hold; half of it where more may be added
// while the graph runs. A set at work in one of several instances counts like an edge full of them. Throws
// DefinitionError where that does not fit, with what takes it; warns of what waits on an edge that gets less than it
// would without the limit.
void ShareHostBytes(CheckedGraph& graph, const std::vector<HeldBack>& held_back);

// Sets that a node has at work at once beside what lies on its edges: those of its instances; 0 where it is one.
int64_t SetsAtWork(const CheckedNode& node);

}  // namespace percept::graph
