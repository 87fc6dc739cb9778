// SPDX-License-Identifier: Apache-2.0
#include "graph/config/bursts.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/config/bounded_sum.h"
#include "graph/config/topology.h"
#include "graph/config/wiring.h"

namespace percept::graph {
namespace {

// More than an edge is made to hold on this account.
constexpr int64_t kLongestBurst = 1'000'000;

// Sends what came on all of its inputs, packet by packet.
bool PassesAll(const CheckedNode& node) {
  return std::any_of(node.contract.outputs.begin(), node.contract.outputs.end(),
                     [](const OutputPort& port) { return port.many_per_time; });
}

void SizeEdge(CheckedGraph& graph, CheckedEdge& edge, int64_t burst) {
  const CheckedNode& reader = graph.nodes[edge.to_node];
  const bool waits = reader.join.kind == JoinKind::kSettled && reader.input_ports.size() > 1;
  if (!waits || burst < 2 || edge.limits.policy != DropPolicy::kBlock) return;
  const auto needed = static_cast<size_t>(std::min(burst, kLongestBurst)) + 1;
  if (edge.limits.packets >= needed) return;
  if (!edge.stated.packets) {
    edge.limits.packets = needed;
    return;
  }
  graph.warnings.push_back(edge.stated.packets->ToString() + ": edge " + graph.EdgeName(edge) + " holds " +
                           std::to_string(edge.limits.packets) + " packets, but " + std::to_string(needed - 1) +
                           " of one time may come from the streams that meet before it, which node " +
                           NodeLabel(reader) + " takes together: write packets: " + std::to_string(needed) +
                           " or more, or leave it out");
}

}  // namespace

void SizeBursts(CheckedGraph& graph) {
  std::vector<int64_t> bursts(graph.nodes.size(), 0);  // packets of one time that come to each node, on all inputs
  std::vector<std::vector<size_t>> outputs(graph.nodes.size());
  for (size_t i = 0; i < graph.edges.size(); ++i) outputs[graph.edges[i].from_node].push_back(i);
  for (const size_t node_idx : FlowOrder(graph)) {
    const int64_t burst = PassesAll(graph.nodes[node_idx]) ? std::max<int64_t>(1, bursts[node_idx]) : 1;
    for (const size_t edge_idx : outputs[node_idx]) {
      CheckedEdge& edge = graph.edges[edge_idx];
      SizeEdge(graph, edge, burst);
      bursts[edge.to_node] = Plus(bursts[edge.to_node], burst);
    }
  }
}

}  // namespace percept::graph
