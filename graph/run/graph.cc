// SPDX-License-Identifier: Apache-2.0
#include "graph/run/graph.h"

#include "graph/run/run_state.h"

namespace percept::graph {

Graph::Graph(const CheckedGraph& definition, Executor& executor, const Services& services, GraphOptions options)
    : state_(std::make_shared<RunState>(definition, executor, services, options)) {
  state_->Build();
}

Graph::~Graph() {
  if (started_.load()) {
    state_->Cancel();
    state_->Wait();
  }
  // Nodes use what the program lent; the rest of the state may live a moment longer on a worker.
  state_->DropNodes();
}

void Graph::Start() {
  state_->Start();
  started_.store(true);
}

RunResult Graph::Wait() { return state_->Wait(); }

RunResult Graph::Run() {
  Start();
  return Wait();
}

void Graph::Cancel() { state_->Cancel(); }

}  // namespace percept::graph
