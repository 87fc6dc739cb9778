// SPDX-License-Identifier: Apache-2.0
#include "cli/structure_report.h"

#include <iostream>
#include <string>
#include <vector>

#include "cli/quantity.h"
#include "graph/node/quantity.h"

namespace percept::cli {
namespace {

using graph::CheckedEdge;
using graph::CheckedGraph;
using graph::CheckedNode;
using graph::Duration;
using graph::DurationText;
using graph::StructuralDelay;
using graph::Structure;
using Json = nlohmann::ordered_json;

constexpr size_t kMaxColumns = 80;
constexpr size_t kMaxNames = 8;  // of the nodes on a way

std::string Joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::vector<std::string> NamesOf(const CheckedGraph& graph, const std::vector<size_t>& nodes) {
  std::vector<std::string> names;
  for (size_t node : nodes) names.push_back(graph.nodes[node].name);
  return names;
}

std::vector<std::string> HeldParts(const CheckedGraph& graph, size_t node_idx) {
  const CheckedNode& node = graph.nodes[node_idx];
  const graph::StateBound& state = node.contract.state;
  std::vector<std::string> parts;
  if (node.contract.source != graph::SourceKind::kNone) {
    parts.push_back(std::to_string(node.in_flight) + " items at work at once");
  }
  if (node.parallel > 1) {
    parts.push_back(std::to_string(node.parallel) + " sets at work at once of " +
                    Bytes(graph::WorkBytesOf(graph, node_idx)));
  }
  if (state.items > 0) parts.push_back("keeps " + std::to_string(state.items) + " items");
  if (state.time > Duration()) parts.push_back("keeps " + DurationText(state.time));
  if (state.bytes > 0) parts.push_back("keeps " + Bytes(state.bytes));
  if (parts.empty()) parts.push_back("keeps nothing between items");
  return parts;
}

std::vector<std::string> LimitParts(const CheckedEdge& edge) {
  std::vector<std::string> parts = {std::to_string(edge.limits.packets) + " packets",
                                    Bytes(static_cast<int64_t>(edge.limits.bytes))};
  if (edge.limits.time > Duration()) parts.push_back(DurationText(edge.limits.time));
  parts.emplace_back(ToString(edge.limits.policy));
  return parts;
}

void PrintHeld(const CheckedGraph& graph, const Structure& structure) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    PrintRow("node " + graph.nodes[i].name + " (" + graph.nodes[i].contract.type + ")", HeldParts(graph, i));
  }
  for (const CheckedEdge& edge : graph.edges) {
    PrintRow("edge " + graph.EdgeName(edge) + " (" + edge.type + ")", LimitParts(edge));
  }
  std::vector<std::string> total = {Bytes(structure.state_bytes) + " in nodes",
                                    Bytes(structure.edge_bytes) + " on edges"};
  if (structure.work_bytes > 0) total.push_back(Bytes(structure.work_bytes) + " in sets at work");
  if (!structure.no_byte_bound.empty()) {
    total.push_back("and what these nodes keep, which state no bytes: " +
                    Joined(NamesOf(graph, structure.no_byte_bound), " "));
  }
  PrintRow("total", total);
}

void PrintJoins(const CheckedGraph& graph, const Structure& structure) {
  if (structure.joins.empty()) return;
  std::cout << "joins\n";
  for (size_t idx : structure.joins) {
    const CheckedNode& node = graph.nodes[idx];
    std::vector<std::string> parts = {std::string(ToString(node.join.kind)) + " of " +
                                      Joined(node.input_ports, " and ")};
    if (node.join.kind == graph::JoinKind::kWindow) {
      parts.push_back(DurationText(node.join.duration) + " every " + DurationText(node.join.hop));
    }
    if (node.join.kind == graph::JoinKind::kNearest) parts.push_back("within " + DurationText(node.join.tolerance));
    parts.emplace_back(node.join.need_all ? "needs all" : "needs any");
    parts.push_back(node.join.max_wait ? "waits at most " + DurationText(*node.join.max_wait) : "waits for ever");
    PrintRow(node.name, parts);
  }
}

std::vector<std::string> DelayParts(const CheckedGraph& graph, const StructuralDelay& delay) {
  std::vector<std::string> parts;
  if (delay.total() > Duration()) parts.push_back(DurationText(delay.total()));
  if (delay.items > 0) parts.push_back(std::to_string(delay.items) + " items");
  if (delay.at_work > 0) parts.push_back("behind " + std::to_string(delay.at_work) + " more at work");
  if (parts.empty()) return {"none"};
  if (delay.windows > Duration()) parts.push_back(DurationText(delay.windows) + " of it to fill up");
  if (delay.waits > Duration()) parts.push_back(DurationText(delay.waits) + " of it max_wait");
  if (delay.queues > Duration()) parts.push_back(DurationText(delay.queues) + " of it on edges");
  if (delay.way.size() > 2 && delay.total() > Duration()) {
    std::vector<std::string> names = NamesOf(graph, {delay.way.begin() + 1, delay.way.end() - 1});
    if (names.size() > kMaxNames) {
      names.erase(names.begin() + kMaxNames / 2, names.end() - kMaxNames / 2);
      names.insert(names.begin() + kMaxNames / 2, "...");
    }
    parts.push_back("by " + Joined(names, " "));
  }
  return parts;
}

void PrintDelays(const CheckedGraph& graph, const Structure& structure) {
  if (structure.delays.empty()) return;
  std::cout << "delay, at most, beside the time to compute\n";
  for (const StructuralDelay& delay : structure.delays) {
    PrintRow(graph.nodes[delay.source].name + " to " + graph.nodes[delay.sink].name, DelayParts(graph, delay));
  }
}

Json JsonOf(const CheckedNode& node) {
  Json json = {{"name", node.name}, {"type", node.contract.type}};
  if (node.contract.source != graph::SourceKind::kNone) json["in_flight"] = node.in_flight;
  if (node.parallel > 1) json["parallel"] = node.parallel;
  const graph::StateBound& state = node.contract.state;
  json["state"] = {{"items", state.items}, {"bytes", state.bytes}, {"seconds", state.time.seconds()}};
  return json;
}

Json JsonOf(const CheckedGraph& graph, const CheckedEdge& edge) {
  Json json = {{"name", graph.EdgeName(edge)},
               {"type", edge.type},
               {"packets", edge.limits.packets},
               {"bytes", edge.limits.bytes},
               {"policy", ToString(edge.limits.policy)}};
  if (edge.limits.time > Duration()) json["seconds"] = edge.limits.time.seconds();
  return json;
}

Json JoinJson(const CheckedNode& node) {
  Json json = {{"node", node.name},
               {"kind", ToString(node.join.kind)},
               {"inputs", node.input_ports},
               {"need", node.join.need_all ? "all" : "any"}};
  if (node.join.kind == graph::JoinKind::kWindow) {
    json["duration_s"] = node.join.duration.seconds();
    json["hop_s"] = node.join.hop.seconds();
  }
  if (node.join.kind == graph::JoinKind::kNearest) json["tolerance_s"] = node.join.tolerance.seconds();
  if (node.join.max_wait) json["max_wait_s"] = node.join.max_wait->seconds();
  return json;
}

Json JsonOf(const CheckedGraph& graph, const StructuralDelay& delay) {
  return {{"source", graph.nodes[delay.source].name},
          {"sink", graph.nodes[delay.sink].name},
          {"seconds", delay.total().seconds()},
          {"windows_s", delay.windows.seconds()},
          {"waits_s", delay.waits.seconds()},
          {"queues_s", delay.queues.seconds()},
          {"items", delay.items},
          {"at_work", delay.at_work},
          {"way", NamesOf(graph, delay.way)}};
}

}  // namespace

void PrintRow(const std::string& what, const std::vector<std::string>& parts) {
  std::string line = "  " + what + ":";
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string part = parts[i] + (i + 1 < parts.size() ? "," : "");
    if (line.size() + 1 + part.size() > kMaxColumns) {
      std::cout << line << "\n";
      line = "     ";
    }
    line += " " + part;
  }
  std::cout << line << "\n";
}

void PrintStructure(const CheckedGraph& graph, const Structure& structure) {
  PrintHeld(graph, structure);
  PrintJoins(graph, structure);
  PrintDelays(graph, structure);
}

Json StructureJson(const CheckedGraph& graph, const Structure& structure) {
  Json json = {{"nodes", Json::array()},
               {"edges", Json::array()},
               {"state_bytes", structure.state_bytes},
               {"work_bytes", structure.work_bytes},
               {"edge_bytes", structure.edge_bytes},
               {"no_byte_bound", NamesOf(graph, structure.no_byte_bound)},
               {"joins", Json::array()},
               {"delays", Json::array()},
               {"unread", Json::array()}};
  for (const CheckedNode& node : graph.nodes) json["nodes"].push_back(JsonOf(node));
  for (const CheckedEdge& edge : graph.edges) json["edges"].push_back(JsonOf(graph, edge));
  for (size_t node : structure.joins) json["joins"].push_back(JoinJson(graph.nodes[node]));
  for (const StructuralDelay& delay : structure.delays) json["delays"].push_back(JsonOf(graph, delay));
  for (const graph::DeadPort& dead : structure.dead_ports) {
    const CheckedNode& node = graph.nodes[dead.node];
    const graph::OutputPort& port = node.contract.outputs[dead.port];
    json["unread"].push_back({{"node", node.name}, {"port", port.name}, {"type", port.type}});
  }
  return json;
}

}  // namespace percept::cli
