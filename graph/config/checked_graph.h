// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/config/pipeline.h"
#include "graph/node/registry.h"

namespace percept::graph {

struct CheckedNode {
  std::string name;
  Position position;
  Contract contract;
  NodeFactory make;
  ParamValues params;
  std::vector<std::string> input_ports;  // connected ones
  int64_t in_flight = 0;                 // sources only
  int depth = 0;                         // edges to the farthest sink: 0 is a sink; the lowest ready node runs first
};

struct CheckedEdge {
  size_t from_node;
  size_t from_port;  // position in the contract's outputs
  size_t to_node;
  size_t to_port;  // position in input_ports
  TypeName type;
  Position position;  // where the input was written
};

// A pipeline whose names, types and parameters are all known to be right: what Graph runs and `percept check` shows.
struct CheckedGraph {
  std::string name;
  std::string description;
  std::vector<CheckedNode> nodes;  // in the order of the file
  std::vector<CheckedEdge> edges;
  std::vector<std::string> warnings;  // "file:line:column: nobody reads say.delta"

  // "pick.video -> win.video"
  std::string EdgeName(const CheckedEdge& edge) const;
};

// Checks a bound pipeline against the registry. Throws DefinitionError for the first fault found: an unknown node type,
// node, port or parameter (nearest valid names), a parameter missing, of a wrong type or out of range, a required input
// that is not connected, two ends of different types (both named), a cycle (hop by hop).
CheckedGraph Check(const PipelineDefinition& bound, const Registry& registry);

// The whole way from text to a checked graph.
CheckedGraph CheckFile(const std::string& path, const Registry& registry, const Arguments& arguments);

// The graph as a Mermaid flowchart.
std::string ToMermaid(const CheckedGraph& graph);

}  // namespace percept::graph
