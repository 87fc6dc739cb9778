// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "graph/config/checked_graph.h"

namespace percept::graph {

// Fills in CheckedNode::depth. Throws DefinitionError that prints a cycle hop by hop.
void SetDepths(CheckedGraph& graph);

// The nodes, each after all that feed it. Needs the depths.
std::vector<size_t> FlowOrder(const CheckedGraph& graph);

}  // namespace percept::graph
