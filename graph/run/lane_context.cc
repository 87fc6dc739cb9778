// SPDX-License-Identifier: Apache-2.0
#include "graph/run/lane_context.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "graph/run/run_state.h"

namespace percept::graph {

LaneContext::LaneContext(RunState& run, const CheckedNode& node, const OutputPorts& outputs,
                         std::shared_ptr<WakeState> wake_state)
    : run_(run), node_(node), outputs_(outputs), wake_state_(std::move(wake_state)), state_(node.contract.state) {}

void LaneContext::Begin(const InputSet& inputs) {
  inputs_ = &inputs;
  wake_at_.reset();
}

std::string_view LaneContext::Find(std::string_view port) const {
  for (const OutputPort& output : node_.contract.outputs) {
    if (output.name == port) return output.name;
  }
  throw std::logic_error("the node's contract declares no output '" + std::string(port) + "'");
}

void LaneContext::Refuse(const char* call) const {
  throw std::logic_error(std::string(call) +
                         " in a node that runs in parallel: its sets are done when it gives them back");
}

bool LaneContext::CanSend(std::string_view port) const {
  const std::string_view name = Find(port);
  return std::none_of(sent_.begin(), sent_.end(),
                      [&](const Sent& sent) { return sent.kind == Sent::Kind::kPacket && sent.port == name; });
}

void LaneContext::Send(std::string_view port, Packet packet) {
  if (inputs_->empty()) throw std::logic_error("Send without a set in a node that runs in parallel");
  if (!CanSend(port)) {
    throw std::logic_error("a packet was sent on output '" + std::string(port) + "', which has no room");
  }
  sent_.push_back({Sent::Kind::kPacket, Find(port), std::move(packet), {}, {}, {}});
}

void LaneContext::SetBound(std::string_view port, Time time) {
  sent_.push_back({Sent::Kind::kBound, Find(port), {}, {}, {}, time});
}

void LaneContext::SendError(ErrorKind kind, std::string reason) {
  if (inputs_->empty()) throw std::logic_error("SendError without a set, a pending set or an item");
  sent_.push_back({Sent::Kind::kError, {}, {}, kind, std::move(reason), {}});
}

void LaneContext::Send(std::string_view, Packet, const Pending&) { Refuse("Send of pending work"); }
void LaneContext::SendError(ErrorKind, std::string, const Pending&) { Refuse("SendError of pending work"); }
void LaneContext::SendError(ErrorKind, std::string, Time, const ItemRef&) { Refuse("SendError about an item"); }
void LaneContext::HoldBounds(Time) { Refuse("HoldBounds"); }
ItemRef LaneContext::NewItem(std::string) { Refuse("NewItem"); }
Pending LaneContext::Hold() { Refuse("Hold"); }
Pending LaneContext::Hold(const ItemRef&, Time) { Refuse("Hold"); }
Time LaneContext::StartEpoch(Time) { Refuse("StartEpoch"); }
void LaneContext::CountRepair(std::string_view, int64_t) { Refuse("CountRepair"); }
void LaneContext::EndChunk(std::string) { Refuse("EndChunk"); }

Duration LaneContext::Now() const { return run_.Now(); }
bool LaneContext::cancelled() const { return is_given_up_.load() || run_.stopping(); }
bool LaneContext::run_failed() const { return run_.failed(); }
const Services& LaneContext::services() const { return run_.services(); }
const GraphLimits& LaneContext::limits() const { return run_.limits(); }

}  // namespace percept::graph
