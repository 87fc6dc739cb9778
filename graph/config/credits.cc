// SPDX-License-Identifier: Apache-2.0
#include "graph/config/credits.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "graph/config/bounded_sum.h"
#include "graph/config/topology.h"
#include "graph/config/wiring.h"
#include "graph/node/quantity.h"

namespace percept::graph {
namespace {

// Where it depends on how often packets come: memory is bounded by the edges then.
constexpr int64_t kManyItems = 1'000'000;

// What nodes on the way from a source keep of its credits while they wait for more.
struct Kept {
  int64_t items = 0;                  // but for the one that ends the wait
  Duration time{};                    // at no known interval
  std::optional<Duration> interval;   // between packets here
  const CheckedNode* node = nullptr;  // the last of them

  void Pass(const CheckedNode& at) {
    const Timing& timing = at.timing;
    // What goes on after max_wait gives its credits back then.
    if (timing.keeps_credits && !timing.max_wait) {
      if (timing.holds_items > 1) items = Plus(items, timing.holds_items - 1);
      if (timing.holds_time > Duration() && interval && *interval > Duration()) {
        items = Plus(items, timing.holds_time.nanoseconds() / interval->nanoseconds() + 1);
      } else {
        time = Plus(time, timing.holds_time);
      }
      node = &at;
    }
    if (timing.interval) interval = timing.interval;
  }
};

Kept Worst(const Kept& a, const Kept& b) {
  Kept worst = std::pair(a.items, a.time) < std::pair(b.items, b.time) ? b : a;
  worst.time = std::max(a.time, b.time);
  if (a.interval && b.interval) worst.interval = std::min(*a.interval, *b.interval);
  return worst;
}

class Credits {
 public:
  explicit Credits(CheckedGraph& graph) : graph_(graph), order_(FlowOrder(graph)), readers_(graph.nodes.size()) {
    for (const CheckedEdge& edge : graph.edges) readers_[edge.from_node].push_back(edge.to_node);
  }

  void Size() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (graph_.nodes[i].contract.source != SourceKind::kNone) SizeSource(i);
    }
  }

 private:
  // The most that is kept on any way from the source, and the node of most instances behind it.
  void SizeSource(size_t source_idx) {
    std::vector<std::optional<Kept>> before(graph_.nodes.size());
    before[source_idx] = Kept();
    Kept most;
    const CheckedNode* widest = nullptr;
    for (size_t idx : order_) {
      if (!before[idx]) continue;
      const CheckedNode& node = graph_.nodes[idx];
      Kept kept = *before[idx];
      kept.Pass(node);
      if (kept.node) most = Worst(most, kept);
      if (node.parallel > 1 && (!widest || node.parallel > widest->parallel)) widest = &node;
      for (size_t reader : readers_[idx]) before[reader] = before[reader] ? Worst(*before[reader], kept) : kept;
    }
    CheckedNode& source = graph_.nodes[source_idx];
    if (most.node) Fit(source, most);
    if (widest) FitInstances(source, *widest);
  }

  void Fit(CheckedNode& source, const Kept& kept) {
    const int64_t needed = kept.items + 1;
    const std::string says = "in_flight of source " + NodeLabel(source) + " is " + std::to_string(source.in_flight);
    const std::string keeps = "node " + NodeLabel(*kept.node);
    if (source.in_flight < needed) {
      if (source.stated_in_flight) {
        throw DefinitionError(*source.stated_in_flight,
                              says + ", but " + std::to_string(needed) + " items are at work before " + keeps +
                                  " hands any on, which keeps their credits: write in_flight: " +
                                  std::to_string(needed) + " or more, or leave it out");
      }
      source.in_flight = needed;
    }
    if (kept.time == Duration()) return;
    if (source.stated_in_flight) {
      graph_.warnings.push_back(source.stated_in_flight->ToString() + ": " + says + ", but " + keeps +
                                " keeps the credits of what comes in " + DurationText(kept.time) +
                                ": leave in_flight out, or the graph stands still where more comes in that time");
    } else {
      source.in_flight = std::max(source.in_flight, kManyItems);
    }
  }

  void FitInstances(CheckedNode& source, const CheckedNode& widest) {
    if (source.in_flight >= widest.parallel) return;
    if (!source.stated_in_flight) {
      source.in_flight = widest.parallel;
      return;
    }
    const std::string num = std::to_string(widest.parallel);
    graph_.warnings.push_back(source.stated_in_flight->ToString() + ": in_flight of source " + NodeLabel(source) +
                              " is " + std::to_string(source.in_flight) + ", which leaves some of the " + num +
                              " instances of node " + NodeLabel(widest) + " idle: write in_flight: " + num +
                              " or more, or leave it out");
  }

  CheckedGraph& graph_;
  const std::vector<size_t> order_;
  std::vector<std::vector<size_t>> readers_;  // nodes that read each node
};

}  // namespace

void SizeInFlight(CheckedGraph& graph) { Credits(graph).Size(); }

}  // namespace percept::graph
