// SPDX-License-Identifier: Apache-2.0
#include "graph/config/topology.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace percept::graph {
namespace {

// A node that is left over has an output to another one that is left over, so a walk along those must come back to
// where it has been.
std::vector<size_t> FindCycle(const CheckedGraph& graph, const std::vector<size_t>& num_open_outputs) {
  size_t node = 0;
  while (num_open_outputs[node] == 0) ++node;
  std::vector<size_t> walk;  // edges, each leaving the node that the one before entered
  std::vector<int> seen_at(graph.nodes.size(), -1);
  while (seen_at[node] < 0) {
    seen_at[node] = static_cast<int>(walk.size());
    for (size_t i = 0; i < graph.edges.size(); ++i) {
      if (graph.edges[i].from_node != node || num_open_outputs[graph.edges[i].to_node] == 0) continue;
      walk.push_back(i);
      node = graph.edges[i].to_node;
      break;
    }
  }
  return {walk.begin() + seen_at[node], walk.end()};
}

[[noreturn]] void ThrowCycle(const CheckedGraph& graph, std::vector<size_t> cycle) {
  // Starts at the edge that stands first in the file, so that the message does not depend on the walk.
  std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
  std::string hops;
  for (size_t edge : cycle) hops += (hops.empty() ? "" : ", ") + graph.EdgeName(graph.edges[edge]);
  throw DefinitionError(graph.edges[cycle.front()].position, "the graph has a cycle: " + hops);
}

}  // namespace

void SetDepths(CheckedGraph& graph) {
  std::vector<size_t> num_open_outputs(graph.nodes.size(), 0);
  std::vector<std::vector<size_t>> inputs(graph.nodes.size());  // nodes that feed each node
  for (const CheckedEdge& edge : graph.edges) {
    ++num_open_outputs[edge.from_node];
    inputs[edge.to_node].push_back(edge.from_node);
  }
  std::vector<size_t> finished;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    graph.nodes[i].depth = 0;
    if (num_open_outputs[i] == 0) finished.push_back(i);
  }
  for (size_t next = 0; next < finished.size(); ++next) {
    const int depth = graph.nodes[finished[next]].depth;
    for (size_t from : inputs[finished[next]]) {
      graph.nodes[from].depth = std::max(graph.nodes[from].depth, depth + 1);
      if (--num_open_outputs[from] == 0) finished.push_back(from);
    }
  }
  if (finished.size() != graph.nodes.size()) ThrowCycle(graph, FindCycle(graph, num_open_outputs));
}

std::vector<size_t> FlowOrder(const CheckedGraph& graph) {
  std::vector<size_t> order(graph.nodes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return graph.nodes[a].depth > graph.nodes[b].depth; });
  return order;
}

}  // namespace percept::graph
