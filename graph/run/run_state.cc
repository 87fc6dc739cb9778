// SPDX-License-Identifier: Apache-2.0
#include "graph/run/run_state.h"

#include <exception>
#include <stdexcept>
#include <utility>

#include "graph/run/node_runner.h"

namespace percept::graph {
namespace {

constexpr size_t kMaxFailedItemsListed = 1000;

std::string WhatOf(const std::exception_ptr& cause) {
  try {
    std::rethrow_exception(cause);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace

RunState::RunState(const CheckedGraph& definition, Executor& executor, const Services& services, GraphOptions options)
    : definition_(definition), executor_(executor), services_(services), options_(options) {}

RunState::~RunState() = default;

void RunState::Build() {
  for (const CheckedNode& node : definition_.nodes) runners_.push_back(std::make_unique<NodeRunner>(*this, node));
  for (const CheckedEdge& edge : definition_.edges) {
    NodeRunner& from = *runners_[edge.from_node];
    NodeRunner& to = *runners_[edge.to_node];
    edges_.push_back(std::make_unique<Edge>(definition_.EdgeName(edge), options_.edge_limits, from, to));
    from.AddOutput(edge.from_port, *edges_.back());
    to.AddInput(*edges_.back());
  }
  for (size_t i = 0; i < runners_.size(); ++i) {
    const CheckedNode& node = definition_.nodes[i];
    try {
      runners_[i]->MakeNode(services_);
    } catch (const DefinitionError&) {
      throw;
    } catch (const std::exception& error) {
      throw DefinitionError(node.position,
                            "node '" + node.name + "' (" + node.contract.type + ") cannot be made: " + error.what());
    }
  }
}

void RunState::Start() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(started_, true)) throw std::logic_error("Graph::Start was called twice");
  }
  Enter();  // so that the graph cannot look idle before every node is on its way
  for (const auto& runner : runners_) runner->Notify();
  Leave();
}

RunResult RunState::Wait() {
  std::unique_lock lock(mutex_);
  if (!started_) throw std::logic_error("Graph::Wait was called before Start");
  done_changed_.wait(lock, [this] { return done_; });
  RunResult result = result_;
  for (const auto& runner : runners_) result.nodes.push_back(runner->counts());
  for (const auto& edge : edges_) {
    const Edge::Counts counts = edge->counts();
    result.edges.push_back({edge->name(), counts.packets, counts.peak_packets, counts.peak_bytes});
  }
  return result;
}

void RunState::Cancel() {
  std::lock_guard lock(mutex_);
  if (stopping_.load() || num_closed_.load() == runners_.size()) return;
  result_.status = RunStatus::kCancelled;
  Stop();
}

void RunState::DropNodes() {
  for (const auto& runner : runners_) runner->DropNode();
}

void RunState::Enter() {
  num_activations_.fetch_add(1);
  num_active_.fetch_add(1);
}

void RunState::Leave() {
  if (num_active_.fetch_sub(1) == 1) CheckIdle();
}

void RunState::CheckIdle() {
  std::lock_guard lock(mutex_);
  const uint64_t num_activations = num_activations_.load();
  if (num_active_.load() != 0) return;
  if (num_closed_.load() == runners_.size()) {
    done_ = true;
    done_changed_.notify_all();
    return;
  }
  if (num_wakers_.load() != 0) return;
  // Whoever became active since has its own look when it is done.
  if (num_active_.load() != 0 || num_activations_.load() != num_activations) return;
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

void RunState::OnOpened() {
  if (num_open_.fetch_add(1) + 1 != runners_.size()) return;
  for (const auto& runner : runners_) runner->Notify();
}

void RunState::OnNodeFailure(const CheckedNode& node, std::exception_ptr cause) {
  RunError error;
  error.node = node.name;
  error.position = node.position;
  error.reason = WhatOf(cause);
  error.cause = std::move(cause);
  const std::string place = node.position.ToString();
  error.message = (place.empty() ? "" : place + ": ") + "node '" + node.name + "' (" + node.contract.type +
                  ") failed: " + error.reason;
  std::lock_guard lock(mutex_);
  Fail(std::move(error));
}

void RunState::Fail(RunError error) {
  // The first fault is the cause; what follows from stopping is not told.
  if (stopping_.load()) return;
  result_.status = RunStatus::kFailed;
  result_.error = std::move(error);
  Stop();
}

void RunState::Stop() {
  stopping_.store(true);
  for (const auto& runner : runners_) runner->Notify();
}

void RunState::RecordFailedItem(const ItemRef& item, const ErrorPayload& error) {
  if (item && !item->MarkFailed()) return;
  std::lock_guard lock(mutex_);
  ++result_.num_failed_items;
  if (result_.failed_items.size() < kMaxFailedItemsListed) result_.failed_items.push_back(error);
}

}  // namespace percept::graph
