// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/queue/edge.h"
#include "graph/run/executor.h"
#include "graph/run/graph.h"
#include "graph/run/run_result.h"

namespace percept::graph {

class NodeRunner;

// What the nodes of one run share: who is active, who holds Wakers, what went wrong, when it is over. Kept alive by the
// Graph and by every run of a node that is under way.
class RunState : public std::enable_shared_from_this<RunState> {
 public:
  RunState(const CheckedGraph& definition, Executor& executor, const Services& services, GraphOptions options);
  ~RunState();

  // Makes nodes and edges.
  void Build();
  void Start();
  RunResult Wait();
  void Cancel();
  // Destroys the nodes; after Wait.
  void DropNodes();

  // For the node runners.
  Executor& executor() const { return executor_; }
  const Services& services() const { return services_; }
  Observer* observer() const { return options_.observer; }
  bool stopping() const { return stopping_.load(); }
  bool all_open() const { return num_open_.load() == runners_.size(); }
  uint64_t NextItemId() { return next_item_id_.fetch_add(1); }
  // A node becomes ready or running; the end of that.
  void Enter();
  void Leave();
  void AddWakers(int64_t delta) { num_wakers_.fetch_add(delta); }
  void OnOpened();
  void OnClosed() { num_closed_.fetch_add(1); }
  // An exception from a node: the one place that decides what follows. Now: the graph stops.
  void OnNodeFailure(const CheckedNode& node, std::exception_ptr cause);
  void RecordFailedItem(const ItemRef& item, const ErrorPayload& error);

 private:
  void CheckIdle();
  void Fail(RunError error);  // with mutex_
  void Stop();                // with mutex_
  std::string DescribeStall() const;

  const CheckedGraph definition_;
  Executor& executor_;
  const Services& services_;
  const GraphOptions options_;
  std::vector<std::unique_ptr<NodeRunner>> runners_;  // in the order of definition_.nodes
  std::vector<std::unique_ptr<Edge>> edges_;          // in the order of definition_.edges

  // The graph is idle for good when nothing is active, nobody holds a Waker, and no activation came in between.
  std::atomic<int64_t> num_active_{0};
  std::atomic<uint64_t> num_activations_{0};
  std::atomic<int64_t> num_wakers_{0};
  std::atomic<size_t> num_open_{0};
  std::atomic<size_t> num_closed_{0};
  std::atomic<uint64_t> next_item_id_{1};
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::condition_variable done_changed_;
  bool started_ = false;
  bool done_ = false;
  RunResult result_;
};

}  // namespace percept::graph
