// SPDX-License-Identifier: Apache-2.0
#pragma once

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
             std::shared_ptr<SourceCredits> credits);

  // For the runner: around every call of the node.
  void Begin(const InputSet& inputs);
  void End();
  uint64_t num_errors() const { return num_errors_; }

  const InputSet& inputs() const override { return *inputs_; }
  void Send(std::string_view port, Packet packet) override;
  void Send(std::string_view port, Packet packet, const Pending& work) override;
  bool CanSend(std::string_view port) const override { return outputs_.CanSend(port); }
  bool IsRead(std::string_view port) const override { return outputs_.IsRead(port); }
  void SetBound(std::string_view port, Time time) override { outputs_.RaiseBound(port, time); }
  void SendError(ErrorKind kind, std::string reason) override;
  void SendError(ErrorKind kind, std::string reason, const Pending& work) override;
  void SendError(ErrorKind kind, std::string reason, Time time, const ItemRef& item) override;
  ItemRef NewItem(std::string label) override;
  Pending Hold() override;
  Pending Hold(const ItemRef& item, Time time) override;
  Waker waker() override { return Waker(wake_state_); }
  bool cancelled() const override;
  const Services& services() const override;
  const std::string& name() const override { return name_; }

 private:
  // What packets of this call take over.
  Origin CurrentOrigin() const;
  void SendOrRefuse(std::string_view port, Packet packet);
  static Packet Filled(Packet packet, Origin origin);
  Packet MakeError(ErrorKind kind, std::string reason, Time time, Origin origin);

  RunState& run_;
  const std::string& name_;
  OutputPorts& outputs_;
  const std::shared_ptr<WakeState> wake_state_;
  const std::shared_ptr<PendingTimes> pending_;
  const std::shared_ptr<SourceCredits> credits_;  // sources only
  const InputSet* inputs_;
  ItemRef new_item_;  // of this call; its credit is held until End
  uint64_t num_errors_ = 0;
};

}  // namespace percept::graph
