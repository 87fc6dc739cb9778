// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/config/checked_graph.h"

namespace percept::graph {

// Where branches of one node meet again in a join, each edge into it must hold what comes while the slowest branch
// fills its windows and batches, and what is at work in the instances of its nodes. Sizes the edges that the file
// leaves open. Throws DefinitionError for a stated limit on which the graph would stand still, with the one that is
// needed; warns where that depends on how often packets come, and where the limit only slows the graph.
void SizeFanOuts(CheckedGraph& graph);

// Shares `limits: host_bytes` among the edges that state no bytes; half of it where more may be added while the graph
// runs. A set at work in one of several instances counts like an edge full of them. Throws DefinitionError where what
// is stated exceeds it.
void ShareHostBytes(CheckedGraph& graph);

// Sets that a node has at work at once beside what lies on its edges: those of its instances; 0 where it is one.
int64_t SetsAtWork(const CheckedNode& node);

}  // namespace percept::graph
