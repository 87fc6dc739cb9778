// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "graph/node/node.h"
#include "graph/run/executor.h"
#include "graph/run/lane_context.h"

namespace percept::graph {

class NodeRunner;

// One instance of a node that runs in parallel, and the set it is at. Its calls are tasks of their own. All functions
// are for the thread of the node's runner, and but for is_called and Close only while no call is under way.
class Lane : public Task, public WakeTarget {
 public:
  // Part of `runner`, which stays while a call is under way. `runner_wake_state` wakes it after every call, and when
  // the instance's Waker is called.
  Lane(RunState& run, NodeRunner& runner, const OutputPorts& outputs, std::shared_ptr<WakeState> runner_wake_state);
  ~Lane() override;

  void Open();
  graph::Process Flush(NodeContext& context) { return instance_->Flush(context); }
  // Destroys the instance and makes and opens another; the set stays. Throws what Open throws.
  void Rebuild();
  // Now, or when the call that is under way has ended. What Close throws stops the graph.
  void Close();

  // Calls the instance with a set, which it keeps with `work` until Release.
  void Take(const InputSet& set, Pending work);
  void CallAgain();
  // Calls it again where its last answer and its Waker say so, or the time that it asked for has come.
  void CallWhereDue();
  void Release();

  // A call is under way, or about to be.
  bool is_called() const { return state_.load() == State::kCalled; }
  bool has_set() const { return !set_.empty(); }
  const Pending& work() const { return work_; }
  // Of the last call.
  std::deque<LaneContext::Sent>& sent() { return context_.sent(); }
  graph::Process answer() const { return answer_; }
  std::exception_ptr TakeCause() { return std::exchange(cause_, nullptr); }
  void SetCause(std::exception_ptr cause) { cause_ = std::move(cause); }
  // When to look at it again, on the run clock; nothing but after kBlocked.
  std::optional<Duration> wake_at() const;
  uint64_t num_calls() const { return num_calls_.load(); }  // also while one is under way

  void Run() noexcept override;
  void OnWake() override;
  void OnChange() override {}
  void OnHolderAdded() override;
  void OnHoldersGone(int64_t num_gone, bool call) override;

 private:
  enum class State { kAtRest, kCalled, kClosed };

  void Call();
  void CloseInstance();
  void Trace(TraceKind kind) const;

  RunState& run_;
  NodeRunner& runner_;
  const CheckedNode& node_;
  const std::shared_ptr<WakeState> runner_wake_state_;
  std::shared_ptr<void> keep_;                   // from being called to having run
  const std::shared_ptr<WakeState> wake_state_;  // of the instance's Wakers
  LaneContext context_;
  std::unique_ptr<Node> instance_;
  bool is_open_ = false;  // Open was called
  InputSet set_;
  const InputSet no_set_;
  Pending work_;

  std::atomic<State> state_{State::kAtRest};
  std::atomic<bool> woken_{false};
  graph::Process answer_ = graph::Process::kNeedInput;
  std::exception_ptr cause_;
  std::atomic<uint64_t> num_calls_{0};
};

}  // namespace percept::graph
