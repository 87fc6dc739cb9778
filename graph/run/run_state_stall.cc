// SPDX-License-Identifier: Apache-2.0
// What a run does that stands still.
#include <algorithm>
#include <deque>
#include <utility>

#include "graph/run/node_runner.h"
#include "graph/run/run_state.h"

namespace percept::graph {

void RunState::Relieve() {
  std::vector<RunEdge> full;
  {
    std::lock_guard lock(mutex_);
    if (stopping_.load()) return;
    full = FullLiveEdges();
    if (full.empty() && num_open_ends_.load() != 0) return;
    if (full.empty()) return FailAsStalled();
    Enter();  // until the producer is on its way
  }
  // Without the lock: what goes with the packet may call the graph.
  const bool is_any = std::any_of(full.begin(), full.end(),
                                  [](const RunEdge& edge) { return edge.edge->DropOldest(DropReason::kStall); });
  if (!is_any) {
    std::lock_guard lock(mutex_);
    FailAsStalled();
  }
  Leave();
}

std::map<const NodeRunner*, size_t> RunState::HopsFromLive() const {
  std::map<const NodeRunner*, size_t> hops;
  std::deque<const NodeRunner*> next;
  for (const auto& runner : runners_) {
    if (runner->node().contract.source != SourceKind::kLive) continue;
    hops[runner.get()] = 0;
    next.push_back(runner.get());
  }
  for (; !next.empty(); next.pop_front()) {
    for (const RunEdge& edge : edges_) {
      const bool is_next = edge.from.get() == next.front();
      if (is_next && hops.emplace(edge.to.get(), hops[edge.from.get()] + 1).second) next.push_back(edge.to.get());
    }
  }
  return hops;
}

std::vector<RunState::RunEdge> RunState::FullLiveEdges() const {
  const std::map<const NodeRunner*, size_t> hops = HopsFromLive();
  std::vector<std::pair<size_t, RunEdge>> found;
  for (const RunEdge& edge : edges_) {
    const auto from = hops.find(edge.from.get());
    if (from != hops.end() && edge.from->FullEdge() == edge.edge.get()) found.emplace_back(from->second, edge);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<RunEdge> edges;
  for (const auto& [num_hops, edge] : found) edges.push_back(edge);
  return edges;
}

void RunState::FailAsStalled() {
  RunError error;
  error.position = definition_.nodes.front().position;
  error.reason = DescribeStall();
  error.message = definition_.name + ": " + error.reason;
  Fail(std::move(error));
}

std::string RunState::DescribeStall() const {
  std::string text = "the graph stands still: nothing can run and nobody will wake it";
  for (const auto& runner : runners_) {
    const std::string wait = runner->DescribeWait();
    if (!wait.empty()) text += "; " + wait;
  }
  return text;
}

}  // namespace percept::graph
