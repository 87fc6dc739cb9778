// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "graph/config/checked_graph.h"

namespace percept::graph {

std::string ToMermaid(const CheckedGraph& graph) {
  std::string text = "flowchart LR\n";
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const CheckedNode& node = graph.nodes[i];
    text += "  n" + std::to_string(i) + "[\"" + node.name + "<br/>" + node.contract.type + "\"]\n";
  }
  for (const CheckedEdge& edge : graph.edges) {
    const std::string& port = graph.nodes[edge.from_node].contract.outputs[edge.from_port].name;
    text += "  n" + std::to_string(edge.from_node) + " -- \"" + port + ": " + edge.type + "\" --> n" +
            std::to_string(edge.to_node) + "\n";
  }
  return text;
}

}  // namespace percept::graph
