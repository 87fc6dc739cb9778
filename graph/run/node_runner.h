// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/node/node.h"
#include "graph/queue/join.h"
#include "graph/run/growing_inputs.h"
#include "graph/run/lanes.h"
#include "graph/run/output_ports.h"
#include "graph/run/run_context.h"
#include "graph/run/run_state.h"
#include "graph/run/source_thread.h"
#include "graph/run/supervisor.h"

namespace percept::graph {

// Runs one node: decides when it is called, never calls it twice at once, and never loses a reason to call it.
class NodeRunner : public Task,
                   public EdgeUser,
                   public WakeTarget,
                   public Timer,
                   public std::enable_shared_from_this<NodeRunner> {
 public:
  // `order`: the node's place in the graph. `part`: null where it is of none; of an added one, it holds `node`.
  NodeRunner(RunState& run, const CheckedNode& node, size_t order, std::shared_ptr<Part> part);
  ~NodeRunner() override;

  // While the graph is built: an edge into the next input port, an edge out of an output port.
  void AddInput(Edge& edge) { inputs_.push_back(&edge); }
  void AddOutput(size_t port_idx, Edge& edge) { outputs_.Connect(port_idx, edge); }
  void MakeNode(const Services& services);
  void SetCutter(Cutter* cutter) { cutter_ = cutter; }
  void DropNode();

  Part* part() const { return part_.get(); }
  // Null where the node's inputs do not change while it runs.
  GrowingInputs* growing() const { return growing_.get(); }
  // The node's part is taken out of the run: a source ends as in a drain; nodes close whatever they are at. From any
  // thread.
  void EndSource();
  void CutOff();
  // The node has failed for good: it is not called again but for Close, and its outputs end with what it has sent.
  // From any thread.
  void EndAsFailed();
  // All are open that this one waits for.
  bool runs() const { return runs_.load(); }

  // Looks at the node once more, soon. From any thread.
  void Notify();
  void OnEdgeChanged() override { Notify(); }
  void OnDrop(const Edge& edge, const Packet& packet, DropReason reason) override;  // in node_report.cc
  void OnReaderClosed() override;
  void OnUnread(const Packet& packet) override;
  void OnTooLate(const Packet& packet) override;
  void OnWake() override;
  void OnChange() override { Notify(); }
  void OnHolderAdded() override { run_.AddWakers(1); }
  void OnHoldersGone(int64_t num_gone, bool call) override;
  void OnTimer() override;
  void Run() noexcept override;

  const CheckedNode& node() const { return node_; }
  // In node_report.cc.
  NodeCounts counts() const;
  // The edge that the node waits for room on, null where it does not. While nothing runs.
  const Edge* FullEdge() const { return state_.load() == State::kClosed ? nullptr : outputs_.FullEdge(); }
  // "waits for ...": for the stall message; "" where the node is closed. While nothing runs.
  std::string DescribeWait() const;

 private:
  enum class State { kIdle, kReady, kRunning, kRunningAgain, kClosed };
  // What a look at the node came to.
  enum class Step { kCalled, kWaiting, kClosed };

  // One look at the node, with at most one call of it; what is thrown on the way stops the graph.
  Step Look();
  Step DoStep();
  Step Open();
  // An added node, before its first call but Open.
  void Begin();
  bool stopping() const { return run_.stopping() || context_.is_cut_off(); }
  bool ending() const { return run_.draining() || ends_.load(); }
  // The same, once the node waits for input.
  Step StepInput();
  // The next call after kHaveOutput and kBlocked, and of sources.
  Step StepAgain();
  // Calls the node with set_ or with no_set_; on a thread of its own, the call ends later.
  Step Call(const InputSet& set);
  graph::Process CallNode();
  void EndCall(const CallOutcome& outcome);
  void TakeAnswer(graph::Process answer);
  // Cuts the node at the chunk ends that its input has passed, set_ apart; after its last call. False where that
  // failed.
  bool TakeCuts(bool presents_set);
  bool TakeLastCut();
  void RestoreState();
  // After an exception from the node; in node_recovery.cc.
  void Recover(std::exception_ptr cause, Supervisor::Call call);
  void WaitToTryAgain(const Supervisor::Verdict& verdict, Duration now);
  void OnRecovered();
  // While a try is due; nothing when the node can be called.
  std::optional<Step> StepRecovery();
  void Rebuild();
  // An error set goes past the node.
  void PassErrorOn();
  void ReleaseSet();
  void ForwardBounds();
  // The node is called when the time that it asked for has come.
  void TakeDueWake();
  void UpdateTimer();
  // UpdateTimer; a clock that cannot do it is a failure of the node.
  void KeepTime();
  std::optional<Duration> NextTime() const;
  void DropTimer();
  // It waits for its only input to bring something, and need not be told of room before that.
  bool HasNothingToSend() const;
  // Whether a source may be called; what it finds holds for the call.
  bool HasCredit();
  // Sources; in node_source.cc. The next step of one that is to end; nothing where it still has work pending.
  std::optional<Step> StepDrain();
  // The next step while the node's thread is in a call; nothing where the call was abandoned.
  std::optional<Step> StepThread();
  void OnThreadReturn();
  // The run stops, and the call shall come back.
  std::optional<Step> StepAbandon();
  void InterruptForDrain();
  void OnSourceEnd();
  Step Finish();
  void Close();
  // In node_inputs.cc. Takes in and lets go of inputs as the run has said.
  void ChangeInputs();
  void TakeIn(const GrowingInputs::Arrival& arrival);
  void LetGo(const GrowingInputs::Departure& departure);
  // Nothing earlier than this may come on an input that is taken in now.
  Time Position() const;
  // Whether a node whose inputs have all ended ends now; others stay as they are.
  bool MayEnd(Join::Answer answer);
  void SetOpenEnd(bool is_open_end);
  void CloseInputs();
  Step FinishAsFailed();
  // Nobody reads what the node sends any more.
  bool is_unread() const { return is_left_.load() && outputs_.HasLostItsReaders(); }
  Step FinishUnread();
  // Counts the items of whatever is here, and lets go of it.
  void CountLost();
  void CountLost(const Packet& packet);
  // The items of whatever is here are reported as failed.
  void ReportCutOff();
  void ReportLost(const Packet& packet);
  void ReportLost(const ItemRef& item, const std::string& what);
  void Trace(TraceKind kind, Time time) const;

  RunState& run_;
  const std::shared_ptr<Part> part_;
  const CheckedNode& node_;
  const std::atomic<bool>& runs_;
  const size_t order_;
  const std::shared_ptr<WakeState> wake_state_;
  const std::shared_ptr<PendingTimes> pending_;
  std::shared_ptr<SourceCredits> credits_;  // sources only
  std::vector<Edge*> inputs_;
  OutputPorts outputs_;
  Time passed_ = Time::Min();  // just past the last set that it is done with
  InputSet set_;
  InputSet no_set_;
  StateAccount state_account_;
  RunContext context_;
  Join::OnPacket on_packet_;
  std::unique_ptr<Join> join_;  // null for sources
  const std::unique_ptr<GrowingInputs> growing_;
  std::shared_ptr<Node> instance_;
  Lanes* lanes_ = nullptr;                // the instance of a node that runs in parallel
  std::unique_ptr<SourceThread> thread_;  // null but for sources that have one
  Cutter* cutter_ = nullptr;              // null where nothing is committed, and in nodes without a share in it

  std::atomic<State> state_{State::kIdle};
  std::atomic<bool> woken_{false};
  std::atomic<bool> ends_{false};  // a source is to end
  std::atomic<bool> has_failed_{false};
  std::atomic<bool> is_left_{false};    // by one reader at least
  std::optional<Duration> timer_at_;    // what the timer was last armed for, in the clock's own time
  bool is_open_ = false;                // Open was called
  bool has_begun_ = false;              // Begin was called
  bool is_open_end_ = false;            // waits for inputs to be added only
  bool is_flushing_ = false;            // the inputs have ended: Flush stands for Process
  bool is_finished_ = false;            // said kFinished; what is staged still has to go
  bool is_interrupted_ = false;         // Interrupt was called for a drain
  std::optional<Duration> abandon_at_;  // when a call that does not come back is left, in the clock's own time
  graph::Process last_answer_;
  const InputSet* presented_;  // what the node was called with last, and will be again unless it said kNeedInput
  std::unique_ptr<Supervisor> supervisor_;  // null before the first exception
  bool needs_rebuild_ = false;
  NodeCounts counts_;
};

}  // namespace percept::graph
