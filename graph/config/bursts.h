// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/config/checked_graph.h"

namespace percept::graph {

// Where streams are merged, as many packets of one time may come one after the other, and a join behind takes none of
// them before all are there: makes room for them on the edges that the file leaves open, and warns of those that it
// makes too small.
void SizeBursts(CheckedGraph& graph);

}  // namespace percept::graph
