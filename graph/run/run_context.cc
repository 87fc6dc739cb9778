// SPDX-License-Identifier: Apache-2.0
#include "graph/run/run_context.h"

#include <stdexcept>
#include <utility>

#include "graph/run/run_state.h"

namespace percept::graph {

RunContext::RunContext(RunState& run, const CheckedNode& node, const InputSet& no_inputs, OutputPorts& outputs,
                       std::shared_ptr<WakeState> wake_state, std::shared_ptr<PendingTimes> pending,
                       std::shared_ptr<SourceCredits> credits)
    : run_(run),
      name_(node.name),
      outputs_(outputs),
      wake_state_(std::move(wake_state)),
      pending_(std::move(pending)),
      credits_(std::move(credits)),
      inputs_(&no_inputs) {}

void RunContext::Begin(const InputSet& inputs) { inputs_ = &inputs; }

void RunContext::End() {
  if (new_item_) std::exchange(new_item_, nullptr)->Release();
}

Origin RunContext::CurrentOrigin() const {
  if (const Packet* first = inputs_->First()) return first->origin();
  Origin origin;
  origin.item = new_item_;
  if (new_item_) origin.trace_id = new_item_->id();
  return origin;
}

Packet RunContext::Filled(Packet packet, Origin origin) {
  // What a source says of the packet itself goes before.
  if (packet.origin().epoch != 0) origin.epoch = packet.origin().epoch;
  if (packet.origin().capture_time) origin.capture_time = packet.origin().capture_time;
  return std::move(packet).WithOrigin(std::move(origin));
}

void RunContext::SendOrRefuse(std::string_view port, Packet packet) {
  if (outputs_.Send(port, packet) == OutputPorts::Order::kInOrder) return;
  const Time bound = outputs_.BoundOf(port);
  outputs_.SendError(port,
                     MakeError(ErrorKind::kBadInput,
                               "out of order: a packet at " + packet.timestamp().ToString() + " came on output '" +
                                   std::string(port) + "' after its bound had passed to " + bound.ToString(),
                               bound, packet.origin()));
}

void RunContext::Send(std::string_view port, Packet packet) {
  if (!packet.origin().item) packet = Filled(std::move(packet), CurrentOrigin());
  SendOrRefuse(port, std::move(packet));
}

void RunContext::Send(std::string_view port, Packet packet, const Pending& work) {
  if (!packet.origin().item) packet = Filled(std::move(packet), work.origin());
  SendOrRefuse(port, std::move(packet));
}

Packet RunContext::MakeError(ErrorKind kind, std::string reason, Time time, Origin origin) {
  ErrorPayload error;
  error.kind = kind;
  error.item = origin.item ? origin.item->label() : "";
  error.reason = std::move(reason);
  error.node = name_;
  ++num_errors_;
  run_.RecordFailedItem(origin.item, error);
  return Packet::MakeError(std::move(error), time).WithOrigin(std::move(origin));
}

void RunContext::SendError(ErrorKind kind, std::string reason) {
  if (inputs_->empty()) throw std::logic_error("SendError without a set, a pending set or an item");
  outputs_.SendError(MakeError(kind, std::move(reason), inputs_->time(), CurrentOrigin()));
}

void RunContext::SendError(ErrorKind kind, std::string reason, const Pending& work) {
  outputs_.SendError(MakeError(kind, std::move(reason), work.time(), work.origin()));
}

void RunContext::SendError(ErrorKind kind, std::string reason, Time time, const ItemRef& item) {
  Origin origin;
  origin.item = item;
  if (item) origin.trace_id = item->id();
  outputs_.SendError(MakeError(kind, std::move(reason), time, std::move(origin)));
}

ItemRef RunContext::NewItem(std::string label) {
  if (!credits_) throw std::logic_error("NewItem in a node that is no source");
  if (new_item_) throw std::logic_error("NewItem twice in one call");
  if (!credits_->available()) throw std::logic_error("NewItem while an item of the source's own holds the last credit");
  credits_->Take();
  new_item_ = std::make_shared<const Item>(std::move(label), run_.NextItemId(), credits_);
  new_item_->Acquire();
  return new_item_;
}

Pending RunContext::Hold() {
  if (inputs_->empty()) throw std::logic_error("Hold without a set");
  return Pending(CurrentOrigin(), inputs_->time(), pending_);
}

Pending RunContext::Hold(const ItemRef& item, Time time) {
  Origin origin;
  origin.item = item;
  if (item) origin.trace_id = item->id();
  return Pending(std::move(origin), time, pending_);
}

bool RunContext::cancelled() const { return run_.stopping(); }
const Services& RunContext::services() const { return run_.services(); }

}  // namespace percept::graph
