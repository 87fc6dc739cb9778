// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "graph/config/checked_graph.h"

namespace percept::graph {

// A number for each edge: two edges have the same one where some ring of edges, whichever way they point, holds both.
// At a node, that is: they are connected by another way than through the node.
std::vector<size_t> BlocksOf(const CheckedGraph& graph);

}  // namespace percept::graph
