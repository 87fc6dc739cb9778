// SPDX-License-Identifier: Apache-2.0
#include "graph/config/structure.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "graph/config/bounded_sum.h"
#include "graph/config/host_bytes.h"
#include "graph/config/topology.h"

namespace percept::graph {
namespace {

int64_t SumBounded(int64_t a, int64_t b) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  return a > kMost - b ? kMost : a + b;
}

// What has become of the packets of a source where they come out of a node.
struct Passed {
  StructuralDelay delay;
  int64_t per_packet = 1;            // sets of the source in one packet
  std::optional<Duration> interval;  // between packets
  std::optional<size_t> previous;    // node on the way here; none: it begins here

  void Pass(const CheckedNode& at) {
    FillUp(at.timing);
    if (at.join.kind == JoinKind::kNearest) delay.windows = Plus(delay.windows, at.join.tolerance);
    delay.waits = Plus(delay.waits, at.join.max_wait.value_or(Duration()));
    delay.at_work = Plus(delay.at_work, at.parallel - 1);
  }

 private:
  void FillUp(const Timing& timing) {
    delay.windows = Plus(delay.windows, timing.holds_time);
    if (timing.holds_items > 1) Collect(timing.holds_items, timing.max_wait);
    if (timing.interval) interval = timing.interval;
  }

  void Collect(int64_t num_items, std::optional<Duration> max_wait) {
    std::optional<Duration> fill;
    if (interval) fill = Times(*interval, num_items - 1);
    if (fill) interval = Plus(*interval, *fill);
    if (max_wait && (!fill || *max_wait < *fill)) {
      delay.waits = Plus(delay.waits, *max_wait);
    } else if (fill) {
      delay.windows = Plus(delay.windows, *fill);
    } else {
      delay.items = Plus(delay.items, Times(num_items - 1, per_packet));
    }
    if (!interval) per_packet = Times(per_packet, num_items);
  }
};

Passed Later(const Passed& a, const Passed& b) {
  Passed later = a.delay.total() < b.delay.total() ? b : a;
  later.delay.items = std::max(a.delay.items, b.delay.items);
  later.delay.at_work = std::max(a.delay.at_work, b.delay.at_work);
  later.per_packet = std::max(a.per_packet, b.per_packet);
  return later;
}

class Delays {
 public:
  explicit Delays(const CheckedGraph& graph) : graph_(graph), order_(FlowOrder(graph)), inputs_(graph.nodes.size()) {
    for (size_t edge = 0; edge < graph.edges.size(); ++edge) inputs_[graph.edges[edge].to_node].push_back(edge);
  }

  std::vector<StructuralDelay> All() const {
    std::vector<StructuralDelay> all;
    for (size_t node = 0; node < graph_.nodes.size(); ++node) {
      if (inputs_[node].empty()) Follow(node, all);
    }
    return all;
  }

 private:
  void Follow(size_t source, std::vector<StructuralDelay>& all) const {
    std::vector<std::optional<Passed>> after(graph_.nodes.size());
    for (size_t node : order_) {
      std::optional<Passed> here = node == source ? Passed() : Arriving(node, after);
      if (!here) continue;
      here->Pass(graph_.nodes[node]);
      after[node] = std::move(here);
    }
    for (size_t node = 0; node < graph_.nodes.size(); ++node) {
      if (node == source || graph_.nodes[node].depth > 0 || !after[node]) continue;
      after[node]->delay.source = source;
      after[node]->delay.sink = node;
      after[node]->delay.way = WayTo(node, after);
      all.push_back(after[node]->delay);
    }
  }

  // Written out for sinks alone: of every node of a long chain it would take the square of its length.
  static std::vector<size_t> WayTo(size_t sink, const std::vector<std::optional<Passed>>& after) {
    std::vector<size_t> way;
    for (std::optional<size_t> node = sink; node; node = after[*node]->previous) way.push_back(*node);
    std::reverse(way.begin(), way.end());
    return way;
  }

  std::optional<Passed> Arriving(size_t node, const std::vector<std::optional<Passed>>& after) const {
    std::optional<Passed> latest;
    for (size_t edge : inputs_[node]) {
      if (!after[graph_.edges[edge].from_node]) continue;
      Passed through = *after[graph_.edges[edge].from_node];
      through.previous = graph_.edges[edge].from_node;
      through.delay.queues = Plus(through.delay.queues, graph_.edges[edge].limits.time);
      latest = latest ? Later(*latest, through) : through;
    }
    return latest;
  }

  const CheckedGraph& graph_;
  const std::vector<size_t> order_;
  std::vector<std::vector<size_t>> inputs_;  // edges into each node
};

}  // namespace

std::vector<DeadPort> DeadPortsOf(const CheckedGraph& graph) {
  std::set<std::pair<size_t, size_t>> read;
  for (const CheckedEdge& edge : graph.edges) read.insert({edge.from_node, edge.from_port});
  std::vector<DeadPort> dead;
  for (size_t node = 0; node < graph.nodes.size(); ++node) {
    for (size_t port = 0; port < graph.nodes[node].contract.outputs.size(); ++port) {
      if (read.count({node, port}) == 0) dead.push_back({node, port});
    }
  }
  return dead;
}

int64_t WorkBytesOf(const CheckedGraph& graph, size_t node) {
  const int64_t num_sets = SetsAtWork(graph.nodes[node]);
  int64_t bytes = 0;
  for (const CheckedEdge& edge : graph.edges) {
    const auto each = static_cast<int64_t>(edge.limits.bytes);
    const bool is_more = num_sets > 0 && each > std::numeric_limits<int64_t>::max() / num_sets;
    if (edge.to_node == node)
      bytes = SumBounded(bytes, is_more ? std::numeric_limits<int64_t>::max() : each * num_sets);
  }
  return bytes;
}

Structure StructureOf(const CheckedGraph& graph) {
  Structure structure;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const CheckedNode& node = graph.nodes[i];
    const StateBound& state = node.contract.state;
    structure.state_bytes = SumBounded(structure.state_bytes, state.bytes);
    if (SetsAtWork(node) > 0) structure.work_bytes = SumBounded(structure.work_bytes, WorkBytesOf(graph, i));
    if (state.bytes == 0 && (state.items > 0 || state.time > Duration())) structure.no_byte_bound.push_back(i);
    if (node.join.collects(node.input_ports.size())) structure.joins.push_back(i);
  }
  for (const CheckedEdge& edge : graph.edges) {
    structure.edge_bytes = SumBounded(structure.edge_bytes, static_cast<int64_t>(edge.limits.bytes));
  }
  structure.dead_ports = DeadPortsOf(graph);
  structure.delays = Delays(graph).All();
  return structure;
}

}  // namespace percept::graph
