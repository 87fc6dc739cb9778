// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/config/checked_graph.h"

// Gives every edge these limits, whatever the pipeline says.
inline void SetEdgeLimits(percept::graph::CheckedGraph& graph, const percept::graph::EdgeLimits& limits) {
  for (percept::graph::CheckedEdge& edge : graph.edges) {
    const bool releases_credits = edge.limits.releases_credits;
    edge.limits = limits;
    edge.limits.releases_credits = releases_credits;
  }
}
