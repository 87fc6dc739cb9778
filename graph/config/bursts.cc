// SPDX-License-Identifier: Apache-2.0
#include "graph/config/bursts.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/config/bounded_sum.h"
#include "graph/config/fan_out.h"
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

// Sends any number of packets for one that it takes: the port is not of the type of an input.
bool MakesMany(const CheckedGraph& graph, const OutputPort& port, const std::vector<size_t>& inputs) {
  const auto is_passed = [&](size_t edge) {
    const TypeName& type = graph.edges[edge].type;
    return port.type == type || port.type == type + "[]";
  };
  return port.many_per_time && std::none_of(inputs.begin(), inputs.end(), is_passed);
}

void SizeEdge(CheckedGraph& graph, CheckedEdge& edge, int64_t burst, HeldBack& held_back) {
  const CheckedNode& reader = graph.nodes[edge.to_node];
  const bool waits = reader.join.kind == JoinKind::kSettled && reader.input_ports.size() > 1;
  if (!waits || burst < 2 || edge.limits.policy != DropPolicy::kBlock) return;
  const bool is_counted = burst < kLongestBurst;
  const auto needed = static_cast<size_t>(std::min(burst, kLongestBurst - 1)) + 1;
  const auto refuse = [&](const Position& position, size_t holds, const std::string& unit, size_t wanted) {
    const std::string num = is_counted ? std::to_string(needed - 1) : "any number of";
    const std::string remedy = is_counted
                                   ? "write " + unit + ": " + std::to_string(wanted) + " or more, or leave it out"
                                   : "leave " + unit + " out";
    throw DefinitionError(position, "edge " + graph.EdgeName(edge) + " holds " + std::to_string(holds) + " " + unit +
                                        ", but " + num + " packets of one time may come, which node " +
                                        NodeLabel(reader) + " takes together: " + remedy);
  };
  if (is_counted) held_back.packets = std::max(held_back.packets, needed);
  held_back.waits = true;
  const size_t bytes = needed * kLeastPacketBytes;
  if (is_counted && edge.stated.bytes && edge.limits.bytes < bytes) {
    refuse(*edge.stated.bytes, edge.limits.bytes, "bytes", bytes);
  }
  if (edge.limits.packets >= needed) return;
  if (edge.stated.packets) refuse(*edge.stated.packets, edge.limits.packets, "packets", needed);
  edge.limits.packets = needed;
}

}  // namespace

void SizeBursts(CheckedGraph& graph, std::vector<HeldBack>& held_back) {
  std::vector<int64_t> bursts(graph.nodes.size(), 0);  // packets of one time that come to each node, on all inputs
  std::vector<std::vector<size_t>> inputs(graph.nodes.size()), outputs(graph.nodes.size());
  for (size_t i = 0; i < graph.edges.size(); ++i) {
    inputs[graph.edges[i].to_node].push_back(i);
    outputs[graph.edges[i].from_node].push_back(i);
  }
  for (const size_t node_idx : FlowOrder(graph)) {
    const CheckedNode& node = graph.nodes[node_idx];
    const int64_t passed = PassesAll(node) ? std::max<int64_t>(1, bursts[node_idx]) : 1;
    for (const size_t edge_idx : outputs[node_idx]) {
      CheckedEdge& edge = graph.edges[edge_idx];
      const bool makes_many = MakesMany(graph, node.contract.outputs[edge.from_port], inputs[node_idx]);
      const int64_t burst = makes_many ? kLongestBurst : passed;
      SizeEdge(graph, edge, burst, held_back[edge_idx]);
      bursts[edge.to_node] = Plus(bursts[edge.to_node], burst);
    }
  }
}

}  // namespace percept::graph
