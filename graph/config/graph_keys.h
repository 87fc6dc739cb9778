// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/config/pipeline.h"

namespace percept::graph {

// Reads a map whose keys are declared as parameters are; `where` names it in messages ("'join' of node 'both'").
// Throws DefinitionError: no map, an unknown key (nearest valid ones), a required one missing, a wrong value.
ParamValues ReadKeys(const Value& map, std::span<const ParamDecl> decls, const std::string& where);

// True for a key of kGraphKeys that stands among a node's parameters (all but `type`, `use` and `in`).
bool IsGraphKey(const std::string& key);
// Reads one into the node. Throws DefinitionError, also where the key says nothing about this node: `in_flight` of a
// node with inputs, `join` of one with a single input or with a join of its type's own.
void ReadGraphKey(const Value::Entry& entry, size_t num_inputs, CheckedNode& node);

// Throws DefinitionError for a join that waits for a live source, which may fall silent, without saying how long. A
// type that joins in its own way is asked only where it has a parameter `max_wait`.
void RequireMaxWaits(const CheckedGraph& graph);

// What the file says about the edge of an input. Throws DefinitionError: a wrong value.
void ReadEdgeLimits(const InputDefinition& input, CheckedEdge& edge);

}  // namespace percept::graph
