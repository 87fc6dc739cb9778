// SPDX-License-Identifier: Apache-2.0
#include "graph/config/blocks.h"

#include <algorithm>
#include <utility>

namespace percept::graph {
namespace {

// The biconnected components of the graph, by the depth-first search of Hopcroft and Tarjan (1973); without recursion,
// as a chain may be long.
class Blocks {
 public:
  explicit Blocks(const CheckedGraph& graph)
      : graph_(graph),
        edges_(graph.nodes.size()),
        found_(graph.nodes.size(), 0),
        lowest_(graph.nodes.size(), 0),
        block_(graph.edges.size(), 0) {
    for (size_t i = 0; i < graph.edges.size(); ++i) {
      edges_[graph.edges[i].from_node].push_back(i);
      edges_[graph.edges[i].to_node].push_back(i);
    }
  }

  std::vector<size_t> Find() {
    for (size_t node = 0; node < graph_.nodes.size(); ++node) {
      if (found_[node] != 0) continue;
      Enter(node, graph_.edges.size());
      while (!way_.empty()) Step();
    }
    return std::move(block_);
  }

 private:
  struct Place {
    size_t node;
    size_t came_by;  // edge
    size_t next = 0;
  };

  void Enter(size_t node, size_t came_by) {
    found_[node] = lowest_[node] = ++num_found_;
    way_.push_back({node, came_by});
  }

  void Step() {
    Place& here = way_.back();
    if (here.next == edges_[here.node].size()) return Leave();
    const size_t edge = edges_[here.node][here.next++];
    if (edge == here.came_by) return;
    const size_t other =
        graph_.edges[edge].from_node == here.node ? graph_.edges[edge].to_node : graph_.edges[edge].from_node;
    if (found_[other] >= found_[here.node]) return;  // looked at from there
    open_.push_back(edge);
    if (found_[other] == 0) return Enter(other, edge);
    lowest_[here.node] = std::min(lowest_[here.node], found_[other]);
  }

  void Leave() {
    const Place left = way_.back();
    way_.pop_back();
    if (way_.empty()) return;
    const size_t before = way_.back().node;
    lowest_[before] = std::min(lowest_[before], lowest_[left.node]);
    if (lowest_[left.node] < found_[before]) return;
    ++num_blocks_;
    for (size_t edge = graph_.edges.size(); edge != left.came_by; open_.pop_back()) {
      edge = open_.back();
      block_[edge] = num_blocks_;
    }
  }

  const CheckedGraph& graph_;
  std::vector<std::vector<size_t>> edges_;  // of each node
  std::vector<size_t> found_, lowest_;      // when a node was found, 0: not yet; the first found that it leads back to
  std::vector<size_t> block_;               // of each edge
  std::vector<Place> way_;
  std::vector<size_t> open_;  // edges whose block is not known yet
  size_t num_found_ = 0, num_blocks_ = 0;
};

}  // namespace

std::vector<size_t> BlocksOf(const CheckedGraph& graph) { return Blocks(graph).Find(); }

}  // namespace percept::graph
