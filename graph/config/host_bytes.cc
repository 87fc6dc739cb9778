// SPDX-License-Identifier: Apache-2.0
#include "graph/config/host_bytes.h"

#include <algorithm>
#include <string>
#include <utility>

#include "graph/config/wiring.h"

namespace percept::graph {
namespace {

// Packets that an edge may hold are reckoned as so many at least.
constexpr size_t kPacketsOfEdge = EdgeLimits().packets;

// How many of those that take the most a refusal names.
constexpr size_t kMostNamed = 3;

// Who takes bytes. As a double, as a sum of stated bounds may be any number.
struct Taker {
  std::string name;
  double bytes = 0;       // in all: as stated, or at least
  double num_shares = 0;  // of what is left over, one a packet; 0: it takes what is stated
  size_t edge = 0, node = 0;
  bool is_node = false;
};

std::string Number(double bytes) { return std::to_string(static_cast<int64_t>(std::min(bytes, 0x1p62))); }

class HostBytes {
 public:
  HostBytes(CheckedGraph& graph, const std::vector<HeldBack>& held_back) : graph_(graph), held_back_(held_back) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) AddNode(i);
    for (size_t i = 0; i < graph.edges.size(); ++i) AddEdge(i);
  }

  void Share() {
    double needed = 0, num_shares = 0;
    for (const Taker& taker : takers_) {
      needed += taker.bytes;
      num_shares += taker.num_shares;
    }
    const auto limit = static_cast<double>(*graph_.limits.host_bytes);
    if (needed > limit) Refuse(needed);
    if (num_shares == 0) return;
    const bool may_grow =
        std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [](const CheckedNode& node) { return node.grows; });
    GiveOut((limit - needed) / (may_grow ? 2 : 1) / num_shares);
  }

 private:
  void AddNode(size_t idx) {
    const CheckedNode& node = graph_.nodes[idx];
    const StateBound& state = node.contract.state;
    const bool is_open = state.bytes == 0 && (state.items > 0 || state.time > Duration());
    if (!is_open && state.bytes == 0) return;
    // A list is full once, but where a wait may end it before.
    const int64_t items = node.timing.max_wait ? 1 : std::max<int64_t>(1, node.timing.holds_items);
    const double least = static_cast<double>(items) * static_cast<double>(kLeastPacketBytes);
    const int64_t most = std::max<int64_t>(items, state.items);
    takers_.push_back({.name = "node " + NodeLabel(node),
                       .bytes = is_open ? least : static_cast<double>(state.bytes),
                       .num_shares = is_open ? static_cast<double>(most) : 0,
                       .node = idx,
                       .is_node = true});
  }

  void AddEdge(size_t idx) {
    const CheckedEdge& edge = graph_.edges[idx];
    const auto times = static_cast<double>(1 + SetsAtWork(graph_.nodes[edge.to_node]));
    const auto bytes = static_cast<double>(edge.stated.bytes ? edge.limits.bytes : LeastOf(idx));
    const auto shares = static_cast<double>(PacketsOf(idx));
    takers_.push_back({.name = "edge " + graph_.EdgeName(edge),
                       .bytes = bytes * times,
                       .num_shares = edge.stated.bytes ? 0 : shares * times,
                       .edge = idx});
  }

  size_t LeastOf(size_t edge) const { return held_back_[edge].packets * kLeastPacketBytes; }

  size_t PacketsOf(size_t edge) const { return std::max(held_back_[edge].packets, kPacketsOfEdge); }

  // `share`: for a packet.
  void GiveOut(double share) {
    for (const Taker& taker : takers_) {
      if (taker.num_shares == 0) continue;
      if (taker.is_node) {
        graph_.nodes[taker.node].contract.state.bytes = static_cast<int64_t>(taker.bytes + taker.num_shares * share);
      } else {
        GiveEdge(taker.edge,
                 static_cast<double>(LeastOf(taker.edge)) + static_cast<double>(PacketsOf(taker.edge)) * share);
      }
    }
  }

  void GiveEdge(size_t idx, double bytes) {
    CheckedEdge& edge = graph_.edges[idx];
    const size_t most = std::max(edge.limits.bytes, LeastOf(idx));  // as without the limit
    edge.limits.bytes = static_cast<size_t>(std::min(bytes, static_cast<double>(most)));
    if (!held_back_[idx].waits || edge.limits.bytes == most) return;
    graph_.warnings.push_back(graph_.limits.position.ToString() + ": host_bytes leaves edge " + graph_.EdgeName(edge) +
                              " " + std::to_string(edge.limits.bytes) +
                              " bytes: the graph stands still where what waits on it takes more");
  }

  [[noreturn]] void Refuse(double needed) {
    std::stable_sort(takers_.begin(), takers_.end(), [](const Taker& a, const Taker& b) { return a.bytes > b.bytes; });
    std::string parts;
    double rest = 0;
    for (size_t i = 0; i < takers_.size(); ++i) {
      rest += i < kMostNamed ? 0 : takers_[i].bytes;
      if (i >= kMostNamed) continue;
      parts += (i == 0 ? "" : ", ") + takers_[i].name + " " + (takers_[i].num_shares > 0 ? "at least " : "") +
               Number(takers_[i].bytes);
    }
    if (takers_.size() > kMostNamed) {
      parts += ", " + std::to_string(takers_.size() - kMostNamed) + " more at least " + Number(rest);
    }
    const int64_t given = *graph_.limits.host_bytes;
    throw DefinitionError(graph_.limits.position,
                          "host_bytes is " + std::to_string(given) + (given == 1 ? " byte" : " bytes") + ", but " +
                              Number(needed) + " are needed: " + parts + ": write host_bytes: " + Number(needed) +
                              " or more, or leave it out");
  }

  CheckedGraph& graph_;
  const std::vector<HeldBack>& held_back_;
  std::vector<Taker> takers_;
};

}  // namespace

void ShareHostBytes(CheckedGraph& graph, const std::vector<HeldBack>& held_back) {
  if (graph.limits.host_bytes) HostBytes(graph, held_back).Share();
}

int64_t SetsAtWork(const CheckedNode& node) { return node.parallel > 1 ? node.parallel : 0; }

}  // namespace percept::graph
