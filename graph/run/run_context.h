// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "graph/config/checked_graph.h"
#include "graph/node/node.h"
#include "graph/node/pending_times.h"
#include "graph/run/output_ports.h"
#include "graph/run/source_credits.h"

namespace percept::graph {

class RunState;

// The NodeContext of one node.
class RunContext : public NodeContext {
 public:
  RunContext(RunState& run, const CheckedNode& node, const InputSet& no_inputs, OutputPorts& outputs,
             std::shared_ptr<WakeState> wake_state, std::shared_ptr<PendingTimes> pending,
             std::shared_ptr<SourceCredits> credits, StateAccount& state);

  // For the runner: around every call of the node.
  void Begin(const InputSet& inputs);
  void End();
  // Sources: whether a credit is free for an item that the next call starts, whoever takes it meanwhile.
  void AllowItem(bool is_allowed) { may_start_item_ = is_allowed; }
  uint64_t num_errors() const { return num_errors_; }
  const std::map<std::string, uint64_t>& repairs() const { return repairs_; }
  // What a source sends after a time-out: a new epoch, its first packets marked as after a gap.
  void StartEpochAfterGap();
  // Before the first call: a source goes on in the epoch, and from the time, that its last chunk ended with.
  void Resume();
  // An added source: before its first call but Open.
  void StartAt(Time time);
  // The node's part is taken out of the run at once. From any thread.
  void CutOff() { is_cut_off_.store(true); }
  bool is_cut_off() const { return is_cut_off_.load(); }
  // The item of a call that does not come back; its credit is not held any more.
  ItemRef TakeStartedItem();
  // An error packet for everything that is pending, which is pending no longer. The presented set is left out: its call
  // failed, and what becomes of it is the caller's.
  void FailPending(ErrorKind kind, const std::string& reason);
  // The presented set becomes an error; `is_told`: in the run's log, too.
  void RefuseSet(ErrorKind kind, std::string reason, bool is_told);
  // When the node asked to be called, in the clock's own time.
  const std::optional<Duration>& wake_at() const { return wake_at_; }
  void ClearWakeAt() { wake_at_.reset(); }
  Time held_bound() const { return held_bound_; }

  const InputSet& inputs() const override { return *inputs_; }
  void Send(std::string_view port, Packet packet) override;
  void Send(std::string_view port, Packet packet, const Pending& work) override;
  bool CanSend(std::string_view port) const override { return outputs_.CanSend(port); }
  bool IsRead(std::string_view port) const override { return outputs_.IsRead(port); }
  void SetBound(std::string_view port, Time time) override { outputs_.RaiseBound(port, time); }
  void HoldBounds(Time time) override { held_bound_ = time; }
  void SendError(ErrorKind kind, std::string reason) override;
  void SendError(ErrorKind kind, std::string reason, const Pending& work) override;
  void SendError(ErrorKind kind, std::string reason, Time time, const ItemRef& item) override;
  ItemRef NewItem(std::string label) override;
  Pending Hold() override;
  Pending Hold(const ItemRef& item, Time time) override;
  void EndChunk(std::string key) override;
  std::optional<std::string> resume_chunk() const override;
  std::optional<int64_t> committed_position() const override;
  StateAccount& state() override { return state_; }
  Time StartEpoch(Time at) override;
  Time start_time() const override { return start_; }
  void CountRepair(std::string_view kind, int64_t num) override;
  Waker waker() override { return Waker(wake_state_); }
  Duration Now() const override;
  void WakeAt(Duration run_time) override;
  bool cancelled() const override;
  bool run_failed() const override;
  const Services& services() const override;
  const GraphLimits& limits() const override;
  const std::string& name() const override { return name_; }

 private:
  // What packets of this call take over.
  Origin CurrentOrigin() const;
  Origin OriginOf(const ItemRef& item) const;
  void SendOrRefuse(std::string_view port, Packet& packet) {
    if (outputs_.Send(port, packet) == OutputPorts::Order::kTooEarly) Refuse(port, packet);
  }
  void Refuse(std::string_view port, const Packet& packet);
  Packet MakeError(ErrorKind kind, std::string reason, Time time, Origin origin, bool is_told = true);

  RunState& run_;
  const CheckedNode& node_;
  const std::string& name_;
  OutputPorts& outputs_;
  const std::shared_ptr<WakeState> wake_state_;
  const std::shared_ptr<PendingTimes> pending_;
  const std::shared_ptr<SourceCredits> credits_;  // sources only
  StateAccount& state_;
  const InputSet* inputs_;
  bool may_start_item_ = false;
  ItemRef new_item_;  // of this call; its credit is held until End
  uint64_t num_errors_ = 0;
  std::optional<Duration> wake_at_;
  const bool is_live_;
  int64_t epoch_ = 0;  // sources: of what they send
  std::map<std::string, uint64_t> repairs_;
  Time held_bound_ = Time::Max();
  Time start_ = Time::Nanoseconds(0);
  std::atomic<bool> is_cut_off_{false};
};

}  // namespace percept::graph
