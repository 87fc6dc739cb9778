// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/queue/edge.h"
#include "graph/run/run_result.h"

namespace percept::graph {

EdgeCounts CountsOf(const Edge& edge);

// Adds counts to a sum, which takes over the name; of peaks the highest stays.
void AddCounts(const NodeCounts& counts, NodeCounts& sum);
void AddCounts(const EdgeCounts& counts, EdgeCounts& sum);

}  // namespace percept::graph
