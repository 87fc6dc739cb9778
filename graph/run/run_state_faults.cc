// SPDX-License-Identifier: Apache-2.0
// What becomes of a run in which something fails, and who is told.
#include <exception>
#include <utility>

#include "graph/node/quantity.h"
#include "graph/run/node_runner.h"
#include "graph/run/run_state.h"
#include "graph/run/supervisor.h"

namespace percept::graph {
namespace {

constexpr size_t kMaxFailedItemsListed = 1000;

RunError ErrorOf(const CheckedNode& node, std::string reason, const std::string& times = "") {
  RunError error;
  error.node = node.name;
  error.position = node.position;
  error.reason = std::move(reason);
  const std::string place = node.position.ToString();
  error.message = (place.empty() ? "" : place + ": ") + "node '" + node.name + "' (" + node.contract.type + ") failed" +
                  times + ": " + error.reason;
  return error;
}

}  // namespace

void RunState::OnNodeFailure(NodeRunner& failed, std::exception_ptr cause, const std::string& times) {
  RunError error = ErrorOf(failed.node(), WhatOf(cause), times);
  error.cause = std::move(cause);
  std::lock_guard lock(mutex_);
  const bool drains = failed.runs() && !cut_points_ && options_.drain_after_failure > Duration();
  if (!drains) return Fail(std::move(error));
  if (stopping_.load()) return;
  RecordFault(std::move(error));
  failed.EndAsFailed();
  BeginDrain(options_.drain_after_failure);
}

void RunState::OnAbandoned(const CheckedNode& node) {
  std::lock_guard lock(mutex_);
  RecordFault(ErrorOf(node, "it still waits in its Process " + DurationText(options_.abandon_after) +
                                " after the run was stopped; its thread is left behind"));
}

void RunState::OnAbandoned(const CheckedNode& node, const ItemRef& item) {
  RecordFailedItem(item, {ErrorKind::kNode, item ? item->label() : "",
                          "it still waits in its Process " + DurationText(options_.abandon_after) + " after '" +
                              node.instance + "' was cut off; its thread is left behind",
                          node.name});
}

void RunState::SetUnready(const CheckedNode& node, std::string reason) {
  Note(RunNote::Kind::kWait, node, reason);
  std::lock_guard lock(mutex_);
  unready_[node.name] = "node '" + node.name + "' (" + node.contract.type + ") " + std::move(reason);
}

void RunState::SetReady(const CheckedNode& node) {
  {
    std::lock_guard lock(mutex_);
    if (unready_.erase(node.name) == 0) return;
  }
  Note(RunNote::Kind::kRecover, node, "works again");
}

template <class Sink, class What>
void RunState::Tell(const Sink& sink, const What& what) {
  try {
    const std::lock_guard lock(sinks_mutex_);
    sink(what);
  } catch (...) {
    RunError error;
    error.position = definition_.nodes.front().position;
    error.cause = std::current_exception();
    error.reason = "a log or error sink of the program failed: " + WhatOf(error.cause);
    error.message = definition_.name + ": " + error.reason;
    const std::lock_guard lock(mutex_);
    Fail(std::move(error));
  }
}

void RunState::Note(RunNote::Kind kind, const CheckedNode& node, const std::string& text) {
  if (!options_.log) return;
  Tell(options_.log,
       RunNote{kind, node.name, node.position, "node '" + node.name + "' (" + node.contract.type + ") " + text});
}

void RunState::NoteDrop(const CheckedNode& node, const std::string& edge, const char* reason) {
  if (!options_.log) return;
  {
    const std::lock_guard lock(sinks_mutex_);
    if (!noted_drops_.insert(edge + ": " + reason).second) return;
  }
  Tell(options_.log, RunNote{RunNote::Kind::kDrop, node.name, node.position,
                             "edge " + edge + " begins to drop packets (" + reason + ")"});
}

void RunState::Fail(RunError error) {
  if (stopping_.load()) return;
  RecordFault(std::move(error));
  Stop();
}

void RunState::RecordFault(RunError error) {
  if (result_.status == RunStatus::kFailed) return;
  result_.status = RunStatus::kFailed;
  result_.error = std::move(error);
  failed_.store(true);
}

void RunState::RecordFailedItem(const ItemRef& item, const ErrorPayload& error, bool is_told) {
  if (item && !item->MarkFailed()) return;
  if (cut_points_) cut_points_->OnFailedItem(item ? item->id() : 0, error);
  {
    std::lock_guard lock(mutex_);
    ++result_.num_failed_items;
    if (result_.failed_items.size() < kMaxFailedItemsListed) result_.failed_items.push_back(error);
  }
  if (options_.errors && is_told) Tell(options_.errors, error);
}

void RunState::CountLost(const ItemRef& item) {
  if (!item || item->MarkFailed()) num_lost_items_.fetch_add(1);
}

}  // namespace percept::graph
