// SPDX-License-Identifier: Apache-2.0
#include "graph/run/graph.h"

#include <utility>

#include "graph/run/run_state.h"

namespace percept::graph {

Graph::Graph(const CheckedGraph& definition, Executor& executor, const Services& services, GraphOptions options)
    : state_(std::make_shared<RunState>(definition, executor, services, std::move(options))) {
  state_->Build();
}

Graph::~Graph() {
  if (started_.load() || RunState::AtWork::IsFor(*state_)) {  // Start may not have returned yet
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
void Graph::Drain(Duration deadline) { state_->Drain(deadline); }
void Graph::Add(const std::string& template_name, const std::string& name, const Arguments& arguments) {
  state_->Add(template_name, name, arguments);
}

void Graph::Remove(const std::string& name, Duration deadline) { state_->Remove(name, deadline); }
std::vector<std::string> Graph::instances() const { return state_->instances(); }
Readiness Graph::readiness() const { return state_->readiness(); }

}  // namespace percept::graph
