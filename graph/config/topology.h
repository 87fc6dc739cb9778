// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/config/checked_graph.h"

namespace percept::graph {

// Fills in CheckedNode::depth. Throws DefinitionError that prints a cycle hop by hop.
void SetDepths(CheckedGraph& graph);

}  // namespace percept::graph
