// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/node/node.h"
#include "graph/queue/settled_join.h"
#include "graph/run/output_ports.h"
#include "graph/run/run_context.h"
#include "graph/run/run_state.h"

namespace percept::graph {

// Runs one node: decides when it is called, never calls it twice at once, and never loses a reason to call it.
class NodeRunner : public Task, public EdgeUser, public WakeTarget {
 public:
  NodeRunner(RunState& run, const CheckedNode& node);
  ~NodeRunner() override;

  // While the graph is built: an edge into the next input port, an edge out of an output port.
  void AddInput(Edge& edge) { inputs_.push_back(&edge); }
  void AddOutput(size_t port_idx, Edge& edge) { outputs_.Connect(port_idx, edge); }
  void MakeNode(const Services& services);
  void DropNode() { instance_.reset(); }

  // Looks at the node once more, soon. From any thread.
  void Notify();
  void OnEdgeChanged() override { Notify(); }
  void OnWake() override;
  void OnChange() override { Notify(); }
  void OnHolderAdded() override { run_.AddWakers(1); }
  void OnHoldersGone(int64_t num_gone, bool call) override;
  void Run() noexcept override;

  const CheckedNode& node() const { return node_; }
  NodeCounts counts() const;
  // "waits for ...": for the stall message; "" where the node is closed. While nothing runs.
  std::string DescribeWait() const;

 private:
  enum class State { kIdle, kReady, kRunning, kRunningAgain, kClosed };
  // What a look at the node came to.
  enum class Step { kCalled, kWaiting, kClosed };

  // One look at the node, with at most one call of it.
  Step DoStep();
  Step Open();
  // The same, once the node waits for input.
  Step StepInput();
  // The next call after kHaveOutput and kBlocked, and of sources.
  Step StepAgain();
  // Calls the node with set_ or with no_set_.
  Step Call(const InputSet& set);
  graph::Process CallNode(const InputSet& set);
  void TakeAnswer(graph::Process answer);
  // An error set goes past the node.
  void PassErrorOn();
  void ReleaseSet();
  void ForwardBounds();
  bool HasCredit() const { return !credits_ || credits_->available() || !pending_->empty(); }
  Step Finish();
  void Close();
  void Trace(TraceKind kind, Time time) const;

  RunState& run_;
  const CheckedNode& node_;
  const std::shared_ptr<WakeState> wake_state_;
  const std::shared_ptr<PendingTimes> pending_;
  std::shared_ptr<SourceCredits> credits_;  // sources only
  std::vector<Edge*> inputs_;
  OutputPorts outputs_;
  InputSet set_;
  const InputSet no_set_;
  RunContext context_;
  SettledJoin::OnPacket on_packet_;
  std::unique_ptr<SettledJoin> join_;  // null for sources
  std::unique_ptr<Node> instance_;

  std::atomic<State> state_{State::kIdle};
  std::atomic<bool> woken_{false};
  bool is_open_ = false;      // Open was called
  bool is_flushing_ = false;  // the inputs have ended: Flush stands for Process
  bool is_finished_ = false;  // said kFinished; what is staged still has to go
  graph::Process last_answer_;
  const InputSet* presented_;  // what the node was called with last, and will be again unless it said kNeedInput
  NodeCounts counts_;
};

}  // namespace percept::graph
