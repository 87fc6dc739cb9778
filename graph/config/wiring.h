// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "graph/config/checked_graph.h"
#include "graph/config/pipeline.h"

namespace percept::graph {

// "'see' (encode.vision)": for messages.
std::string NodeLabel(const CheckedNode& node);

// Names the ports of the nodes, one for each definition and in the same order, and makes the edges; their types are
// open. Throws DefinitionError: an unknown node or port, an input twice or not at all.
void ConnectNodes(const PipelineDefinition& pipeline, CheckedGraph& graph);

// Gives outputs and edges their types, once the depths are known. Throws DefinitionError where two ends do not fit.
void ResolveTypes(CheckedGraph& graph);

// Adds a warning for each output that nobody reads.
void WarnUnread(CheckedGraph& graph);

}  // namespace percept::graph
