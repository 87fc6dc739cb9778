// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>

#include "graph/config/checked_graph.h"
#include "graph/node/services.h"
#include "graph/queue/edge_limits.h"
#include "graph/run/executor.h"
#include "graph/run/observer.h"
#include "graph/run/run_result.h"

namespace percept::graph {

struct GraphOptions {
  EdgeLimits edge_limits;        // of every edge
  Observer* observer = nullptr;  // lives longer than the graph
};

class RunState;

// One run of a checked graph. All functions from any thread; executor and services outlive it.
class Graph {
 public:
  // Makes the nodes. Throws DefinitionError, at the node, where one refuses its parameters or lacks a service.
  Graph(const CheckedGraph& definition, Executor& executor, const Services& services, GraphOptions options = {});
  // Cancels, and waits until every node is closed.
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Opens the nodes and lets them run, on the executor; returns at once. Once.
  void Start();
  // Until every node is closed. Never on a worker of the executor.
  RunResult Wait();
  // Start and Wait.
  RunResult Run();
  // No node is called again but for Close; what lies on edges is dropped. Returns at once.
  void Cancel();

 private:
  std::shared_ptr<RunState> state_;
  std::atomic<bool> started_{false};
};

}  // namespace percept::graph
