// SPDX-License-Identifier: Apache-2.0
// What `percept check --measure` prints of a run.
#include <algorithm>
#include <iostream>
#include <utility>

#include "cli/measure.h"
#include "cli/quantity.h"
#include "cli/structure_report.h"

namespace percept::cli {
namespace {

using graph::CheckedGraph;
using graph::TimeSpread;
using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

std::string Text(graph::Duration duration) { return ShortDuration(duration.seconds()); }
std::string Percent(double part) { return Decimal(100 * part, 0) + "%"; }
double Mean(const TimeSpread& times) {
  return times.num == 0 ? 0 : times.total.seconds() / static_cast<double>(times.num);
}

// The first column to the left, the others to the right; two spaces before each.
void PrintTable(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      std::cout << "  " << (i == 0 ? row[i] + space : space + row[i]);
    }
    std::cout << "\n";
  }
}

void PrintNodes(const CheckedGraph& graph, const Measured& measured) {
  std::vector<Row> rows = {{"node", "sets", "at work", "in Process", "95%", "through it", "95%"}};
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const graph::MeasuredRun::OfNode& node = measured.run.nodes[i];
    rows.push_back({graph.nodes[i].name, std::to_string(node.process.num), Percent(node.busy),
                    Text(node.process.median), Text(node.process.p95), Text(node.through.median),
                    Text(node.through.p95)});
  }
  PrintTable(rows);
  if (!measured.run.limiting) {
    std::cout << "  no node limits the run: none was at work for long\n";
    return;
  }
  const size_t limiting = *measured.run.limiting;
  std::cout << "  " << graph.nodes[limiting].name << " limits the run: it was at work "
            << Percent(measured.run.nodes[limiting].busy) << " of the time\n";
}

void PrintEdges(const CheckedGraph& graph, const Measured& measured) {
  if (graph.edges.empty()) return;
  std::vector<Row> rows = {{"edge", "packets", "waited", "95%", "most held", "of"}};
  for (size_t i = 0; i < graph.edges.size(); ++i) {
    const graph::EdgeCounts& counts = measured.result.edges[i];
    const TimeSpread& waited = measured.run.edges[i];
    rows.push_back({counts.edge, std::to_string(counts.packets), Text(waited.median), Text(waited.p95),
                    std::to_string(counts.peak_packets) + ", " + Bytes(static_cast<int64_t>(counts.peak_bytes)),
                    std::to_string(graph.edges[i].limits.packets) + ", " +
                        Bytes(static_cast<int64_t>(graph.edges[i].limits.bytes))});
  }
  PrintTable(rows);
}

// A part of the time from a source to a sink.
using Share = std::pair<std::string, double>;

// Where an item spent its time on the way, on average: in each node, waiting on edges, and else in joins and lists that
// fill up.
std::vector<Share> SharesOf(const CheckedGraph& graph, const Measured& measured, const std::vector<size_t>& nodes,
                            const TimeSpread& latency) {
  std::vector<Share> shares;
  double edges = 0, sum = 0;
  for (size_t i = 1; i < nodes.size(); ++i) {
    for (size_t edge = 0; edge < graph.edges.size(); ++edge) {
      const graph::CheckedEdge& between = graph.edges[edge];
      if (between.from_node != nodes[i - 1] || between.to_node != nodes[i]) continue;
      edges += Mean(measured.run.edges[edge]);
      break;
    }
    if (i + 1 == nodes.size()) continue;
    shares.emplace_back(graph.nodes[nodes[i]].name, Mean(measured.run.nodes[nodes[i]].through));
    sum += shares.back().second;
  }
  shares.emplace_back("waiting on edges", edges);
  const double whole = std::max(sum + edges, Mean(latency));
  shares.emplace_back("joins and lists", whole - sum - edges);
  for (Share& share : shares) share.second = whole == 0 ? 0 : share.second / whole;
  return shares;
}

const graph::StructuralDelay* FindDelay(const graph::Structure& structure, const graph::MeasuredRun::OfWay& way) {
  for (const graph::StructuralDelay& delay : structure.delays) {
    if (delay.source == way.source && delay.sink == way.sink) return &delay;
  }
  return nullptr;
}

void PrintWays(const CheckedGraph& graph, const graph::Structure& structure, const Measured& measured) {
  for (const graph::MeasuredRun::OfWay& way : measured.run.ways) {
    std::vector<std::string> parts = {"median " + Text(way.latency.median), "95% " + Text(way.latency.p95),
                                      "at most " + Text(way.latency.max)};
    if (const graph::StructuralDelay* delay = FindDelay(structure, way)) {
      for (const auto& [what, share] : SharesOf(graph, measured, delay->way, way.latency)) {
        if (share >= 0.005) parts.push_back(Percent(share).append(" ").append(what));
      }
    }
    PrintRow(graph.nodes[way.source].name + " to " + graph.nodes[way.sink].name, parts);
  }
}

void PrintState(const CheckedGraph& graph, const Measured& measured) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const graph::StateBound& bound = graph.nodes[i].contract.state;
    const graph::NodeCounts& counts = measured.result.nodes[i];
    std::vector<std::string> parts;
    const auto peak_items = std::to_string(counts.peak_state_items);
    const auto peak_bytes = Bytes(static_cast<int64_t>(counts.peak_state_bytes));
    if (bound.items > 0) parts.push_back(peak_items + " of " + std::to_string(bound.items) + " items");
    if (bound.bytes > 0) parts.push_back(peak_bytes + " of " + Bytes(bound.bytes));
    if (bound.items > 0 && bound.bytes == 0) parts.push_back(peak_bytes);
    if (bound.time > graph::Duration() && parts.empty()) {
      parts.push_back(std::string(peak_items).append(" items, ").append(peak_bytes));
    }
    if (!parts.empty()) PrintRow("node " + graph.nodes[i].name + " kept at most", parts);
  }
  PrintRow("the whole program held at most", {Bytes(measured.peak_resident_bytes)});
}

Json JsonOf(const TimeSpread& times) {
  return {{"num", times.num},
          {"median_s", times.median.seconds()},
          {"p95_s", times.p95.seconds()},
          {"max_s", times.max.seconds()},
          {"total_s", times.total.seconds()}};
}

Json NodesJson(const CheckedGraph& graph, const Measured& measured) {
  Json json = Json::array();
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const graph::MeasuredRun::OfNode& node = measured.run.nodes[i];
    json.push_back({{"name", graph.nodes[i].name},
                    {"busy", node.busy},
                    {"process", JsonOf(node.process)},
                    {"through", JsonOf(node.through)},
                    {"peak_state_items", measured.result.nodes[i].peak_state_items},
                    {"peak_state_bytes", measured.result.nodes[i].peak_state_bytes}});
  }
  return json;
}

Json WayJson(const CheckedGraph& graph, const graph::Structure& structure, const Measured& measured,
             const graph::MeasuredRun::OfWay& way) {
  Json json = {{"source", graph.nodes[way.source].name},
               {"sink", graph.nodes[way.sink].name},
               {"latency", JsonOf(way.latency)},
               {"shares", Json::object()}};
  if (const graph::StructuralDelay* delay = FindDelay(structure, way)) {
    for (const auto& [what, share] : SharesOf(graph, measured, delay->way, way.latency)) json["shares"][what] = share;
  }
  return json;
}

}  // namespace

void PrintMeasured(const CheckedGraph& graph, const graph::Structure& structure, const Measured& measured) {
  const uint64_t num_failed = measured.result.num_failed_items;
  std::cout << "measured: " << Count(measured.run.num_items, "item")
            << (num_failed > 0 ? " (" + std::to_string(num_failed) + " failed)" : "") << " in "
            << Text(measured.run.duration) << " on " << Count(static_cast<uint64_t>(measured.num_workers), "thread")
            << "; times: median, 95%\n";
  PrintNodes(graph, measured);
  PrintEdges(graph, measured);
  PrintState(graph, measured);
  std::cout << "delay, measured\n";
  PrintWays(graph, structure, measured);
}

Json MeasuredJson(const CheckedGraph& graph, const graph::Structure& structure, const Measured& measured) {
  Json json = {{"duration_s", measured.run.duration.seconds()},
               {"threads", measured.num_workers},
               {"items", measured.run.num_items},
               {"failed_items", measured.result.num_failed_items},
               {"limiting_node", nullptr},
               {"peak_resident_bytes", measured.peak_resident_bytes},
               {"nodes", NodesJson(graph, measured)},
               {"edges", Json::array()},
               {"delays", Json::array()}};
  if (measured.run.limiting) json["limiting_node"] = graph.nodes[*measured.run.limiting].name;
  for (size_t i = 0; i < graph.edges.size(); ++i) {
    const graph::EdgeCounts& counts = measured.result.edges[i];
    json["edges"].push_back({{"name", counts.edge},
                             {"packets", counts.packets},
                             {"waited", JsonOf(measured.run.edges[i])},
                             {"peak_packets", counts.peak_packets},
                             {"peak_bytes", counts.peak_bytes}});
  }
  for (const graph::MeasuredRun::OfWay& way : measured.run.ways) {
    json["delays"].push_back(WayJson(graph, structure, measured, way));
  }
  return json;
}

}  // namespace percept::cli
