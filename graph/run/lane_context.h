// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "graph/config/checked_graph.h"
#include "graph/node/node.h"
#include "graph/run/output_ports.h"

namespace percept::graph {

class RunState;

// The NodeContext of one instance of a node that runs in parallel. What the instance sends stays here until the turn of
// its set comes.
class LaneContext : public NodeContext {
 public:
  struct Sent {
    enum class Kind { kPacket, kError, kBound };
    Kind kind;
    std::string_view port;  // not of errors
    Packet packet;          // kPacket
    ErrorKind error_kind{};
    std::string reason;  // kError
    Time bound;          // kBound
  };

  LaneContext(RunState& run, const CheckedNode& node, const OutputPorts& outputs,
              std::shared_ptr<WakeState> wake_state);

  // For the lane: before every call of the instance.
  void Begin(const InputSet& inputs);
  // Calls are of no use any more. From any thread.
  void GiveUp() { is_given_up_.store(true); }
  std::deque<Sent>& sent() { return sent_; }
  // When the instance asked to be called, on the run clock.
  const std::optional<Duration>& wake_at() const { return wake_at_; }

  const InputSet& inputs() const override { return *inputs_; }
  void Send(std::string_view port, Packet packet) override;
  [[noreturn]] void Send(std::string_view port, Packet packet, const Pending& work) override;
  // One packet a port and call.
  bool CanSend(std::string_view port) const override;
  bool IsRead(std::string_view port) const override { return outputs_.IsRead(port); }
  void SetBound(std::string_view port, Time time) override;
  void SendError(ErrorKind kind, std::string reason) override;
  [[noreturn]] void SendError(ErrorKind kind, std::string reason, const Pending& work) override;
  [[noreturn]] void SendError(ErrorKind kind, std::string reason, Time time, const ItemRef& item) override;
  [[noreturn]] void HoldBounds(Time time) override;
  [[noreturn]] ItemRef NewItem(std::string label) override;
  [[noreturn]] Pending Hold() override;
  [[noreturn]] Pending Hold(const ItemRef& item, Time time) override;
  [[noreturn]] Time StartEpoch(Time at) override;
  Time start_time() const override { return Time::Nanoseconds(0); }
  [[noreturn]] void CountRepair(std::string_view kind, int64_t num) override;
  [[noreturn]] void EndChunk(std::string key) override;
  std::optional<std::string> resume_chunk() const override { return std::nullopt; }
  std::optional<int64_t> committed_position() const override { return std::nullopt; }
  StateAccount& state() override { return state_; }
  Waker waker() override { return Waker(wake_state_); }
  Duration Now() const override;
  void WakeAt(Duration run_time) override { wake_at_ = run_time; }
  bool cancelled() const override;
  bool run_failed() const override;
  const Services& services() const override;
  const GraphLimits& limits() const override;
  const std::string& name() const override { return node_.name; }

 private:
  // The contract's own name.
  std::string_view Find(std::string_view port) const;
  [[noreturn]] void Refuse(const char* call) const;

  RunState& run_;
  const CheckedNode& node_;
  const OutputPorts& outputs_;  // what does not change during the run
  const std::shared_ptr<WakeState> wake_state_;
  StateAccount state_;
  const InputSet* inputs_ = nullptr;
  std::deque<Sent> sent_;
  std::optional<Duration> wake_at_;
  std::atomic<bool> is_given_up_{false};
};

}  // namespace percept::graph
