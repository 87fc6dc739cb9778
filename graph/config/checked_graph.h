// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/config/pipeline.h"
#include "graph/node/error_policy.h"
#include "graph/node/graph_limits.h"
#include "graph/node/registry.h"
#include "graph/queue/edge_limits.h"
#include "graph/queue/join_spec.h"

namespace percept::graph {

struct CheckedNode {
  std::string name;
  Position position;
  std::string instance;       // of a template, that the node is part of: the name of the use; "": of none
  std::string template_name;  // of that one
  Contract contract;          // of the type; outputs and state bound as they are here
  NodeFactory make;
  ParamValues params;
  std::vector<std::string> input_ports;      // connected ones
  int64_t in_flight = 0;                     // sources only
  std::optional<Position> stated_in_flight;  // where the file says it; else chosen by Check
  JoinSpec join;                             // how its inputs become sets
  bool own_join = false;                     // the type says so, not the file
  bool grows = false;                        // a template feeds it: it takes more inputs while the graph runs
  Timing timing;                             // what it holds back
  RetryPolicy retry;
  RestartPolicy restart;
  int64_t parallel = 1;  // instances that take sets in turn
  int depth = 0;         // edges to the farthest sink: 0 is a sink; the lowest ready node runs first
};

// Where the file states a limit of an edge; the others are chosen by Check.
struct StatedLimits {
  std::optional<Position> policy, packets, bytes, time;
};

struct CheckedEdge {
  size_t from_node;
  size_t from_port;  // position in the contract's outputs
  size_t to_node;
  size_t to_port;  // position in input_ports
  TypeName type;
  Position position;  // where the input was written
  EdgeLimits limits;
  StatedLimits stated;
};

struct Growth;

// Nodes that a use of a template adds to a graph that runs. Their edges number the nodes as if `nodes` stood behind
// those of the graph; an edge into a node of the graph adds an input to it.
struct GraphPart {
  std::vector<CheckedNode> nodes;
  std::vector<CheckedEdge> edges;
  std::vector<std::string> fed_ports;  // one for each edge: the name of the added input, "" into a node of the part
};

// A pipeline whose names, types and parameters are all known to be right: what Graph runs and `percept check` shows.
struct CheckedGraph {
  std::string name;
  std::string description;
  std::vector<CheckedNode> nodes;  // in the order of the file
  std::vector<CheckedEdge> edges;
  GraphLimits limits;
  std::vector<std::string> warnings;  // "file:line:column: nobody reads say.delta"

  // "pick.video -> win.video"
  std::string EdgeName(const CheckedEdge& edge) const;

  // What one more use of a template, as node `name`, adds to this graph; `arguments` are of the template's parameters.
  // Throws DefinitionError: no such template or node, parameters as in a file, a part that reads other nodes of the
  // graph than its own or feeds none, or one that joins otherwise than `settled`.
  GraphPart CheckPart(const std::string& template_name, const std::string& name, const Arguments& arguments) const;

  std::shared_ptr<const Growth> growth;  // for CheckPart; null where the pipeline has no templates
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
