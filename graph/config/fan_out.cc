// SPDX-License-Identifier: Apache-2.0
#include "graph/config/fan_out.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "graph/config/bounded_sum.h"
#include "graph/config/topology.h"
#include "graph/node/quantity.h"

namespace percept::graph {
namespace {

// With a limit in media time the number of packets only guards against a flood.
constexpr size_t kManyPackets = 1'000'000;

// What is counted as kept back.
enum class Counting {
  kForGood,  // until more comes: an edge that cannot hold it stands still
  kAll,      // also what goes on after a while, or is at work in several instances: a small edge only slows it
};

// What the nodes on the way from a fork keep back before the first of it comes out.
struct Held {
  int64_t items = 0;
  Duration time{};
  int64_t per_packet = 1;            // items of the fork in one packet here
  std::optional<Duration> interval;  // between packets here
  size_t node = 0;                   // the last that keeps something back
  std::optional<size_t> selector;    // hands on only some of what comes
  bool is_open = false;              // more than is counted here may be kept back: it depends on the selector

  void Pass(const CheckedNode& at, size_t node_idx, Counting counting) {
    const Held before = *this;
    const bool goes_on = at.timing.max_wait || at.join.max_wait;
    per_packet = Times(per_packet, at.timing.takes_items);
    if (interval) interval = Times(*interval, at.timing.takes_items);
    if (at.timing.is_selective) selector = node_idx;
    if (counting == Counting::kAll || !goes_on) Fill(at.timing);
    if (counting == Counting::kAll) Wait(at);
    if (at.join.kind == JoinKind::kNearest) time = Plus(time, at.join.tolerance);
    if (at.timing.interval) interval = at.timing.interval;
    if (items > before.items || time > before.time) node = node_idx;
  }

 private:
  void Fill(const Timing& timing) {
    is_open = is_open || (timing.holds_items > 1 && selector);
    if (timing.holds_items > 1 && interval) {
      interval = Times(*interval, timing.holds_items);
      time = Plus(time, *interval);
    } else if (timing.holds_items > 1) {
      items = Plus(items, Times(timing.holds_items, per_packet));
      per_packet = Times(per_packet, timing.holds_items);
    }
    // A window's results come at its start, the next one a hop later.
    if (timing.holds_time > Duration()) {
      time = Plus(time, Plus(timing.holds_time, timing.interval.value_or(Duration())));
    }
  }

  void Wait(const CheckedNode& at) {
    if (at.parallel > 1 && interval) {
      time = Plus(time, Times(*interval, at.parallel));
    } else if (at.parallel > 1) {
      items = Plus(items, Times(at.parallel, per_packet));
    }
    // How much comes while a join waits is known only where the interval is.
    if (at.join.max_wait && at.join.kind != JoinKind::kWindow && interval) {
      time = Plus(time, *at.join.max_wait);
    }
  }
};

Held Worst(const Held& a, const Held& b) {
  Held worst = std::pair(a.time, a.items) < std::pair(b.time, b.items) ? b : a;
  worst.items = std::max(a.items, b.items);
  worst.per_packet = std::max(a.per_packet, b.per_packet);
  worst.selector = a.selector ? a.selector : b.selector;
  worst.is_open = a.is_open || b.is_open;
  if (a.interval && b.interval) worst.interval = std::max(*a.interval, *b.interval);
  return worst;
}

bool Holds(const CheckedNode& node) {
  return node.timing.holds_items > 1 || node.timing.holds_time > Duration() || node.join.kind == JoinKind::kNearest ||
         node.parallel > 1 || node.join.max_wait;
}

// What must lie on an edge while the other branches fill.
using Needs = std::vector<std::optional<Held>>;

class FanOuts {
 public:
  explicit FanOuts(CheckedGraph& graph)
      : graph_(graph), order_(FlowOrder(graph)), inputs_(graph.nodes.size()), outputs_(graph.nodes.size()) {
    for (size_t i = 0; i < graph.edges.size(); ++i) {
      inputs_[graph.edges[i].to_node].push_back(i);
      outputs_[graph.edges[i].from_node].push_back(i);
    }
  }

  void Size() {
    if (std::none_of(graph_.nodes.begin(), graph_.nodes.end(), Holds)) return;
    const Needs for_good = Find(Counting::kForGood), all = Find(Counting::kAll);
    for (size_t i = 0; i < graph_.edges.size(); ++i) {
      CheckedEdge& edge = graph_.edges[i];
      const bool may_wait = edge.limits.policy == DropPolicy::kBlock || edge.limits.policy == DropPolicy::kFail;
      if (!may_wait || (!for_good[i] && !all[i])) continue;
      const Held none;
      const Held& need = for_good[i] ? *for_good[i] : none;
      Refuse(edge, need);
      Advise(edge, need, all[i] ? *all[i] : none);
      Fit(edge, need, all[i] ? *all[i] : none);
      if (need.is_open) LeaveOpen(edge, need);
    }
  }

 private:
  Needs Find(Counting counting) const {
    Needs needs(graph_.edges.size());
    for (size_t fork = 0; fork < graph_.nodes.size(); ++fork) {
      if (outputs_[fork].size() > 1) Follow(fork, counting, needs);
    }
    return needs;
  }

  // What comes through each edge from `fork`, and what the edges where it meets again must hold. Each edge is looked at
  // once, however many ways lead to it.
  void Follow(size_t fork, Counting counting, Needs& needs) const {
    Needs through(graph_.edges.size());
    for (size_t edge : outputs_[fork]) through[edge] = Held();
    for (size_t node : order_) {
      if (node == fork) continue;
      std::optional<Held> here;
      std::vector<size_t> reached;
      for (size_t edge : inputs_[node]) {
        if (!through[edge]) continue;
        here = here ? Worst(*here, *through[edge]) : *through[edge];
        reached.push_back(edge);
      }
      if (!here) continue;
      for (size_t edge : reached) Require(edge, reached, through, needs);
      here->Pass(graph_.nodes[node], node, counting);
      for (size_t edge : outputs_[node]) through[edge] = here;
    }
  }

  // `edge` waits for the others.
  static void Require(size_t edge, const std::vector<size_t>& reached, const Needs& through, Needs& needs) {
    for (size_t other : reached) {
      if (other == edge) continue;
      Held need = *through[other];
      need.items = std::max<int64_t>(0, need.items - through[edge]->items);
      need.time = std::max(Duration(), need.time - through[edge]->time);
      need.interval = through[edge]->interval;
      if (need.items == 0 && need.time == Duration() && !need.is_open) continue;
      needs[edge] = needs[edge] ? Worst(*needs[edge], need) : need;
    }
  }

  // An edge that the file makes too small for `need`, and what to write instead; nothing where it is large enough.
  struct Fault {
    Position position;
    std::string text;
  };

  std::optional<Fault> FindFault(const CheckedEdge& edge, const Held& need, const std::string& fills) const {
    const auto say = [&](const Position& position, const std::string& holds, const std::string& wait,
                         const std::string& key) {
      return Fault{position, "edge " + graph_.EdgeName(edge) + " holds " + holds + ", but " + wait + " wait on it " +
                                 fills + ": write " + key + ": " + wait + " or more, or leave it out"};
    };
    size_t packets = need.items > 0 ? static_cast<size_t>(need.items) + 1 : 0;
    if (need.time > Duration() && need.interval && *need.interval > Duration()) {
      packets = std::max(packets, static_cast<size_t>(need.time.nanoseconds() / need.interval->nanoseconds()) + 2);
    }
    if (edge.stated.packets && edge.limits.packets < packets) {
      return say(*edge.stated.packets, std::to_string(edge.limits.packets) + " packets", std::to_string(packets),
                 "packets");
    }
    if (edge.stated.time && edge.limits.time < need.time) {
      return say(*edge.stated.time, DurationText(edge.limits.time), DurationText(need.time), "time");
    }
    return std::nullopt;
  }

  void Refuse(const CheckedEdge& edge, const Held& need) {
    const std::string fills = "while '" + graph_.nodes[need.node].name + "' fills";
    if (const std::optional<Fault> fault = FindFault(edge, need, fills)) {
      throw DefinitionError(fault->position, fault->text);
    }
    if (edge.stated.time && need.items > 0) {
      Warn(*edge.stated.time, "edge " + graph_.EdgeName(edge) + " holds " + DurationText(edge.limits.time) + ", but " +
                                  std::to_string(need.items + 1) + " packets wait on it " + fills +
                                  ": leave time out, or the graph stands still where they come more seldom than that");
    }
    const bool is_counted = need.interval && *need.interval > Duration();
    if (!edge.stated.packets || need.time == Duration() || is_counted) return;
    Warn(*edge.stated.packets, "edge " + graph_.EdgeName(edge) + " holds " + std::to_string(edge.limits.packets) +
                                   " packets, but " + DurationText(need.time) + " wait on it " + fills +
                                   ": leave packets out, or the graph stands still where they come more often than "
                                   "that");
  }

  void Advise(const CheckedEdge& edge, const Held& need, const Held& all) {
    if (all.items <= need.items && all.time <= need.time) return;
    const CheckedNode& node = graph_.nodes[all.node];
    const std::string fills =
        node.parallel > 1 ? "while all " + std::to_string(node.parallel) + " instances of '" + node.name + "' work"
                          : "where '" + node.name + "' waits for its max_wait";
    if (const std::optional<Fault> fault = FindFault(edge, all, fills)) Warn(fault->position, fault->text);
  }

  void LeaveOpen(CheckedEdge& edge, const Held& need) {
    const CheckedNode& selector = graph_.nodes[*need.selector];
    std::string text = "edge " + graph_.EdgeName(edge) + " must hold what waits on it while '" +
                       graph_.nodes[need.node].name + "' fills, which depends on what '" + selector.name +
                       "' lets through: ";
    if (edge.stated.packets) {
      text +=
          "leave packets out, or the graph stands still where that is more than " + std::to_string(edge.limits.packets);
    } else {
      edge.limits.packets = std::max(edge.limits.packets, kManyPackets);
      text += "it is bounded by its bytes, and the graph stands still where they do not suffice";
    }
    Warn(edge.stated.packets ? *edge.stated.packets : selector.position, text);
  }

  void Warn(const Position& position, const std::string& text) {
    graph_.warnings.push_back(position.ToString() + ": " + text);
  }

  static void Fit(CheckedEdge& edge, const Held& need, const Held& all) {
    const int64_t items = std::max(need.items, all.items);
    const Duration time = std::max(need.time, all.time);
    if (edge.stated.packets) return;
    edge.limits.packets = std::max(edge.limits.packets, static_cast<size_t>(items) + 1);
    if (time == Duration()) return;
    edge.limits.packets = std::max(edge.limits.packets, kManyPackets);
    // Items at no known interval may be as far apart as they like.
    if (!edge.stated.time && items == 0) edge.limits.time = time;
  }

  CheckedGraph& graph_;
  const std::vector<size_t> order_;
  std::vector<std::vector<size_t>> inputs_, outputs_;  // edges of each node
};

}  // namespace

void SizeFanOuts(CheckedGraph& graph) { FanOuts(graph).Size(); }

void ShareHostBytes(CheckedGraph& graph) {
  if (!graph.limits.host_bytes) return;
  double stated = 0;  // a double, as a sum of stated bounds may be any number
  double num_shares = 0;
  int64_t num_open = 0;
  for (const CheckedNode& node : graph.nodes) stated += static_cast<double>(node.contract.state.bytes);
  for (const CheckedEdge& edge : graph.edges) {
    const auto times = static_cast<double>(1 + SetsAtWork(graph.nodes[edge.to_node]));
    if (edge.stated.bytes) stated += static_cast<double>(edge.limits.bytes) * times;
    if (!edge.stated.bytes) num_shares += times;
    if (!edge.stated.bytes) ++num_open;
  }
  const double left = static_cast<double>(*graph.limits.host_bytes) - stated;
  if (left < num_shares) {
    throw DefinitionError(graph.limits.position, "host_bytes is " + BytesText(*graph.limits.host_bytes) +
                                                     ", but what nodes keep and edges state takes " +
                                                     BytesText(static_cast<int64_t>(stated)) + " and " +
                                                     std::to_string(num_open) + " more edges need some");
  }
  if (num_open == 0) return;
  const bool may_grow =
      std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const CheckedNode& node) { return node.grows; });
  const double shared = may_grow ? std::max(left / 2, num_shares) : left;
  const int64_t share = std::min(static_cast<int64_t>(EdgeLimits().bytes), static_cast<int64_t>(shared / num_shares));
  for (CheckedEdge& edge : graph.edges) {
    if (!edge.stated.bytes) edge.limits.bytes = static_cast<size_t>(share);
  }
}

int64_t SetsAtWork(const CheckedNode& node) { return node.parallel > 1 ? node.parallel : 0; }

}  // namespace percept::graph
