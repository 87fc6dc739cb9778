// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/config/checked_graph.h"

namespace percept::nodes {

// The same graph with nothing left behind outside of it: sinks of files do all their work and write to /dev/null, other
// sinks that write or send take what comes and do nothing. For runs that only measure. Sinks of the program's own
// (`app.sink`) stay. Throws DefinitionError where a node both writes and has outputs.
graph::CheckedGraph WithSilentSinks(graph::CheckedGraph graph);

}  // namespace percept::nodes
