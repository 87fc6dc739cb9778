// SPDX-License-Identifier: Apache-2.0
#include "graph/config/fan_out.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph/config/blocks.h"
#include "graph/config/bounded_sum.h"
#include "graph/config/topology.h"
#include "graph/node/quantity.h"

namespace percept::graph {
namespace {

// With a limit in media time the number of packets only guards against a flood.
constexpr size_t kManyPackets = 1'000'000;
// What an edge holds whose bytes are left out.
constexpr size_t kBytesOfOpenEdge = EdgeLimits().bytes;

// What is counted as kept back.
enum class Counting {
  kForGood,  // until more comes: an edge that cannot hold it stands still
  kAll,      // also what goes on after a while, or is at work in several instances: a small edge only slows it
};

// What the nodes on the way from a fork keep back before the first of it comes out.
struct Held {
  int64_t items = 0;
  Duration time{};
  Duration more_time{};              // perhaps: a nearest one may come at once
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
    if (at.join.kind == JoinKind::kNearest) more_time = Plus(more_time, at.join.tolerance);
    if (at.timing.interval) interval = at.timing.interval;
    if (items > before.items || time > before.time || more_time > before.more_time) node = node_idx;
  }

 private:
  void Fill(const Timing& timing) {
    is_open = is_open || (timing.holds_items > 1 && selector);
    const int64_t num_waiting = timing.is_dated_last ? 1 : timing.holds_items;
    if (timing.holds_items > 1 && interval) {
      time = Plus(time, Times(*interval, num_waiting));
      interval = Times(*interval, timing.holds_items);
    } else if (timing.holds_items > 1) {
      items = Plus(items, Times(num_waiting, per_packet));
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
  worst.more_time = std::max(a.more_time, b.more_time);
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

// An edge that the file makes too small, and what to write instead.
struct Fault {
  Position position;
  std::string text;
};

// How many packets that is, where it is told; 0: it is not.
size_t CountOf(const Held& need) {
  size_t packets = need.items > 0 ? static_cast<size_t>(need.items) + 1 : 0;
  if (need.time > Duration() && need.interval && *need.interval > Duration()) {
    packets = std::max(packets, static_cast<size_t>(need.time.nanoseconds() / need.interval->nanoseconds()) + 2);
  }
  return packets;
}

// Media time at no known interval.
bool IsUncounted(const Held& need) {
  return need.time > Duration() && (!need.interval || *need.interval == Duration());
}

class FanOuts {
 public:
  explicit FanOuts(CheckedGraph& graph)
      : graph_(graph), order_(FlowOrder(graph)), inputs_(graph.nodes.size()), outputs_(graph.nodes.size()) {
    for (size_t i = 0; i < graph.edges.size(); ++i) {
      inputs_[graph.edges[i].to_node].push_back(i);
      outputs_[graph.edges[i].from_node].push_back(i);
    }
    FindSpacings();
  }

  std::vector<HeldBack> Size() {
    std::vector<HeldBack> held_back(graph_.edges.size());
    if (std::none_of(graph_.nodes.begin(), graph_.nodes.end(), Holds)) return held_back;
    const Needs for_good = Find(Counting::kForGood), all = Find(Counting::kAll);
    for (size_t i = 0; i < graph_.edges.size(); ++i) {
      CheckedEdge& edge = graph_.edges[i];
      const bool may_wait = edge.limits.policy == DropPolicy::kBlock || edge.limits.policy == DropPolicy::kFail;
      if (!may_wait || (!for_good[i] && !all[i])) continue;
      const Held none;
      const Held& need = for_good[i] ? *for_good[i] : none;
      if (for_good[i]) held_back[i] = {std::max<size_t>(1, CountOf(need)), /*waits=*/true};
      if (for_good[i]) Refuse(edge, need);
      Advise(edge, need, all[i] ? *all[i] : none);
      Fit(edge, need, all[i] ? *all[i] : none);
      if (need.is_open) LeaveOpen(edge, need);
    }
    return held_back;
  }

 private:
  void FindSpacings() {
    spacings_.resize(graph_.nodes.size());
    for (size_t node : order_) {
      const Timing& timing = graph_.nodes[node].timing;
      spacings_[node] = timing.interval;
      if (timing.interval || inputs_[node].size() != 1) continue;
      spacings_[node] = spacings_[graph_.edges[inputs_[node].front()].from_node];
      if (spacings_[node]) spacings_[node] = Times(*spacings_[node], timing.takes_items);
    }
  }

  Needs Find(Counting counting) {
    Needs needs(graph_.edges.size());
    std::vector<size_t> sources;
    for (size_t node = 0; node < graph_.nodes.size(); ++node) {
      if (outputs_[node].size() > 1) Follow({node}, counting, needs);
      if (inputs_[node].empty()) sources.push_back(node);
    }
    if (sources.size() < 2) return needs;
    blocks_ = BlocksOf(graph_);
    Follow(sources, counting, needs);
    return needs;
  }

  // What comes through each edge from a fork, or from all sources, and what the edges where it meets again must hold.
  // Each edge is looked at once, however many ways lead to it.
  void Follow(const std::vector<size_t>& from, Counting counting, Needs& needs) {
    Needs through(graph_.edges.size());
    for (size_t node : from) {
      for (size_t edge : outputs_[node]) through[edge] = Held();
    }
    for (size_t node : order_) {
      if (node == from.front()) continue;
      std::optional<Held> here;
      std::vector<size_t> reached;
      for (size_t edge : inputs_[node]) {
        if (!through[edge]) continue;
        here = here ? Worst(*here, *through[edge]) : *through[edge];
        reached.push_back(edge);
      }
      if (!here) continue;
      for (size_t edge : reached) {
        for (size_t other : reached) {
          if (other != edge && IsHeldUpBy(edge, other, from.size() > 1)) {
            Require(edge, other, from.size() > 1, through, counting, needs);
          }
        }
      }
      here->Pass(graph_.nodes[node], node, counting);
      for (size_t edge : outputs_[node]) through[edge] = here;
    }
  }

  // What comes of one fork: always, as what fills `other` comes only with what `edge` takes. Of two sources: where they
  // go on together for another reason, a ring of edges that holds both.
  bool IsHeldUpBy(size_t edge, size_t other, bool of_sources) {
    if (!of_sources) {
      of_one_fork_.emplace(edge, other);
      return true;
    }
    return blocks_[edge] == blocks_[other] && of_one_fork_.count({edge, other}) == 0;
  }

  // `edge` waits for `other`.
  void Require(size_t edge, size_t other, bool of_sources, const Needs& through, Counting counting,
               Needs& needs) const {
    Held need = *through[other];
    need.items = std::max<int64_t>(0, need.items - through[edge]->items);
    need.time = std::max(Duration(), Plus(need.time, std::exchange(need.more_time, {})) - through[edge]->time);
    need.interval = spacings_[graph_.edges[edge].from_node];
    // How many come from one source while so many come from another is not known.
    if (of_sources && std::exchange(need.items, 0) > 0) need.is_open = true;
    Look(graph_.edges[edge], graph_.edges[other], counting, need);
    if (need.items == 0 && need.time == Duration() && !need.is_open) return;
    needs[edge] = needs[edge] ? Worst(*needs[edge], need) : need;
  }

  // A nearest one may still come on `other` so long after a packet of the first input, which waits for it, and with it
  // what comes on the rest.
  void Look(const CheckedEdge& edge, const CheckedEdge& other, Counting counting, Held& need) const {
    const JoinSpec& join = graph_.nodes[edge.to_node].join;
    const bool waits = join.kind == JoinKind::kNearest && (edge.to_port == 0 || other.to_port != 0);
    if (!waits || join.tolerance == Duration() || (counting == Counting::kForGood && join.max_wait)) return;
    need.time = Plus(need.time, join.tolerance);
    need.node = edge.to_node;
  }

  // What holds up `edge`.
  std::string While(const CheckedEdge& edge, const Held& need) const {
    const CheckedNode& node = graph_.nodes[need.node];
    return "while '" + node.name + (need.node == edge.to_node ? "' looks for the nearest" : "' fills");
  }

  Fault Say(const Position& position, const CheckedEdge& edge, const std::string& holds, const std::string& waits,
            const std::string& remedy) const {
    return {position, "edge " + graph_.EdgeName(edge) + " holds " + holds + ", but " + waits + ": " + remedy};
  }

  // Nothing where the edge is large enough, as far as that can be told.
  std::optional<Fault> FindFault(const CheckedEdge& edge, const Held& need, const std::string& fills) const {
    const StatedLimits& stated = edge.stated;
    const size_t packets = CountOf(need);
    const std::string holds = std::to_string(edge.limits.packets) + " packets", num = std::to_string(packets);
    const std::string or_more = " or more, or leave it out";
    const std::string all = "all that comes in " + DurationText(need.time) + " waits on it " + fills;
    if (stated.packets && edge.limits.packets < packets) {
      return Say(*stated.packets, edge, holds, num + " wait on it " + fills, "write packets: " + num + or_more);
    }
    if (stated.packets && IsUncounted(need) && edge.limits.packets < kManyPackets) {
      return Say(*stated.packets, edge, holds, all + ", however often that is", "leave packets out");
    }
    if (stated.time && edge.limits.time < need.time) {
      const std::string time = DurationText(need.time);
      return Say(*stated.time, edge, DurationText(edge.limits.time), time + " wait on it " + fills,
                 "write time: " + time + or_more);
    }
    // The second of two would not fit, but is on its way to the other branches already.
    if (stated.time && need.items > 2) {
      return Say(*stated.time, edge, DurationText(edge.limits.time),
                 num + " packets wait on it " + fills + ", however far apart", "leave time out");
    }
    if (stated.bytes && IsUncounted(need) && edge.limits.bytes < kBytesOfOpenEdge) {
      return Say(*stated.bytes, edge, BytesText(static_cast<int64_t>(edge.limits.bytes)),
                 all + ", however much that is", "leave bytes out");
    }
    const size_t bytes = packets * kLeastPacketBytes;
    if (!stated.bytes || edge.limits.bytes >= bytes) return std::nullopt;
    const std::string least = BytesText(static_cast<int64_t>(bytes));
    return Say(*stated.bytes, edge, BytesText(static_cast<int64_t>(edge.limits.bytes)),
               num + " packets wait on it " + fills + ", which take " + least + " and what is in them",
               "write bytes: " + std::to_string(bytes) + or_more);
  }

  void Refuse(const CheckedEdge& edge, const Held& need) {
    const std::string fills = While(edge, need);
    if (need.is_open) RefuseOpen(edge, need, fills);
    if (const std::optional<Fault> fault = FindFault(edge, need, fills)) {
      throw DefinitionError(fault->position, fault->text);
    }
    // How large packets are is known when they come.
    const size_t packets = CountOf(need);
    if (!edge.stated.bytes || packets == 0) return;
    const auto bytes = static_cast<int64_t>(edge.limits.bytes);
    const Fault note =
        Say(*edge.stated.bytes, edge, BytesText(bytes), std::to_string(packets) + " packets wait on it " + fills,
            "leave bytes out, or the graph stands still where they take more than " +
                BytesText(bytes / static_cast<int64_t>(packets)) + " each");
    Warn(note.position, note.text);
  }

  // What it depends on how much waits.
  std::string What(const Held& need) const {
    return need.selector ? "what '" + graph_.nodes[*need.selector].name + "' lets through"
                         : "how often each source sends";
  }

  void RefuseOpen(const CheckedEdge& edge, const Held& need, const std::string& fills) const {
    const StatedLimits& stated = edge.stated;
    const std::string waits = "how much waits on it " + fills + " depends on " + What(need);
    std::optional<Fault> fault;
    if (stated.packets && edge.limits.packets < kManyPackets) {
      fault = Say(*stated.packets, edge, std::to_string(edge.limits.packets) + " packets", waits, "leave packets out");
    } else if (stated.time) {
      fault = Say(*stated.time, edge, DurationText(edge.limits.time), waits, "leave time out");
    } else if (stated.bytes && edge.limits.bytes < kBytesOfOpenEdge) {
      fault = Say(*stated.bytes, edge, BytesText(static_cast<int64_t>(edge.limits.bytes)), waits, "leave bytes out");
    }
    if (fault) throw DefinitionError(fault->position, fault->text);
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
    if (edge.stated.packets) return;
    edge.limits.packets = std::max(edge.limits.packets, kManyPackets);
    Warn(need.selector ? graph_.nodes[*need.selector].position : edge.position,
         "edge " + graph_.EdgeName(edge) + " must hold what waits on it " + While(edge, need) + ", which depends on " +
             What(need) + ": it is bounded by its bytes, and the graph stands still where they do not suffice");
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
    if (!edge.stated.time && items == 0 && !need.is_open) edge.limits.time = time;
  }

  CheckedGraph& graph_;
  const std::vector<size_t> order_;
  std::vector<std::vector<size_t>> inputs_, outputs_;  // edges of each node
  std::vector<size_t> blocks_;                         // of edges
  std::set<std::pair<size_t, size_t>> of_one_fork_;    // pairs of edges into a join
  std::vector<std::optional<Duration>> spacings_;      // of what each node sends, at least; where that is told
};

}  // namespace

std::vector<HeldBack> SizeFanOuts(CheckedGraph& graph) { return FanOuts(graph).Size(); }

}  // namespace percept::graph
