// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/config/fan_out.h"

namespace percept::graph {

// Where streams are merged, as many packets of one time may come one after the other, and any number from a node that
// makes several of one; a join behind takes none of them before all are there. Makes room for them on the edges that
// the file leaves open, and says so in `held_back`, by edge. Throws DefinitionError for a stated limit that is too
// small for them.
void SizeBursts(CheckedGraph& graph, std::vector<HeldBack>& held_back);

}  // namespace percept::graph
