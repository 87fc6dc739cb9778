// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/config/checked_graph.h"

namespace percept::graph {

// Nodes that keep the credits of what they hold (Timing::keeps_credits) need as many items at work as they hold, or
// their source waits for them and they for it. Raises `in_flight` of sources where the file leaves it open. Throws
// DefinitionError for a stated one that is too small, with the number that is needed; warns where that depends on how
// often packets come, and where instances of a node would find nothing to do.
void SizeInFlight(CheckedGraph& graph);

}  // namespace percept::graph
