// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "graph/config/checked_graph.h"
#include "nodes/batch/journal.h"

namespace percept::nodes {

// The graph of an input that cannot be read, for `reason`: nodes that run a model open none, and only pass its error
// on. Leaves the graph as it is where a source has anything else to give.
void IdleModels(const BatchInput& input, const std::string& reason, graph::CheckedGraph* graph);

}  // namespace percept::nodes
