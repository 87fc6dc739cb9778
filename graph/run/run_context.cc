// SPDX-License-Identifier: Apache-2.0
#include "graph/run/run_context.h"

#include <stdexcept>
#include <utility>

#include "graph/run/run_state.h"

namespace percept::graph {

RunContext::RunContext(RunState& run, const CheckedNode& node, const InputSet& no_inputs, OutputPorts& outputs,
                       std::shared_ptr<WakeState> wake_state, std::shared_ptr<PendingTimes> pending,
                       std::shared_ptr<SourceCredits> credits, StateAccount& state)
    : run_(run),
      node_(node),
      name_(node.name),
      outputs_(outputs),
      wake_state_(std::move(wake_state)),
      pending_(std::move(pending)),
      credits_(std::move(credits)),
      state_(state),
      inputs_(&no_inputs),
      is_live_(node.contract.source == SourceKind::kLive) {}

void RunContext::Begin(const InputSet& inputs) { inputs_ = &inputs; }

void RunContext::End() {
  if (new_item_) std::exchange(new_item_, nullptr)->Release();
}

Origin RunContext::CurrentOrigin() const {
  const Packet* first = inputs_->First();
  if (!first) return OriginOf(new_item_);
  Origin origin = first->origin();
  origin.epoch = inputs_->epoch();
  return origin;
}

Origin RunContext::OriginOf(const ItemRef& item) const {
  Origin origin;
  origin.item = item;
  if (item) origin.trace_id = item->id();
  origin.epoch = epoch_;
  if (is_live_) origin.capture_time = run_.clock().WallNow();
  return origin;
}

void RunContext::Refuse(std::string_view port, const Packet& packet) {
  const Time bound = outputs_.BoundOf(port);
  outputs_.SendError(port,
                     MakeError(ErrorKind::kBadInput,
                               "out of order: a packet at " + packet.timestamp().ToString() + " came on output '" +
                                   std::string(port) + "' after its bound had passed to " + bound.ToString(),
                               bound, packet.origin()));
}

void RunContext::Send(std::string_view port, Packet packet) {
  if (!packet.origin().item) {
    if (const Packet* first = inputs_->First()) {
      packet.TakeOver(first->origin(), inputs_->epoch());
    } else {
      packet.TakeOver(OriginOf(new_item_));
    }
  } else if (credits_) {
    packet.TakeOver(OriginOf(packet.origin().item));
  }
  if (packet.origin().epoch < epoch_) {
    Origin origin = packet.origin();
    origin.epoch = epoch_;
    packet = std::move(packet).WithOrigin(std::move(origin));
  }
  SendOrRefuse(port, packet);
}

void RunContext::Send(std::string_view port, Packet packet, const Pending& work) {
  if (!packet.origin().item) packet.TakeOver(work.origin());
  SendOrRefuse(port, packet);
}

Packet RunContext::MakeError(ErrorKind kind, std::string reason, Time time, Origin origin, bool is_told) {
  ErrorPayload error;
  error.kind = kind;
  error.item = origin.item ? origin.item->label() : "";
  error.reason = std::move(reason);
  error.node = name_;
  ++num_errors_;
  run_.RecordFailedItem(origin.item, error, is_told);
  return Packet::MakeError(std::move(error), time).WithOrigin(std::move(origin));
}

void RunContext::SendError(ErrorKind kind, std::string reason) {
  if (inputs_->empty()) throw std::logic_error("SendError without a set, a pending set or an item");
  RefuseSet(kind, std::move(reason), /*is_told=*/true);
}

void RunContext::RefuseSet(ErrorKind kind, std::string reason, bool is_told) {
  outputs_.SendError(MakeError(kind, std::move(reason), inputs_->time(), CurrentOrigin(), is_told));
}

void RunContext::SendError(ErrorKind kind, std::string reason, const Pending& work) {
  outputs_.SendError(MakeError(kind, std::move(reason), work.time(), work.origin()));
}

void RunContext::SendError(ErrorKind kind, std::string reason, Time time, const ItemRef& item) {
  outputs_.SendError(MakeError(kind, std::move(reason), time, OriginOf(item)));
}

ItemRef RunContext::NewItem(std::string label) {
  if (!credits_) throw std::logic_error("NewItem in a node that is no source");
  if (new_item_) throw std::logic_error("NewItem twice in one call");
  if (!may_start_item_) throw std::logic_error("NewItem while an item of the source's own holds the last credit");
  new_item_ = std::make_shared<const Item>(std::move(label), run_.NextItemId(), credits_);
  new_item_->Acquire();
  return new_item_;
}

Pending RunContext::Hold() {
  if (inputs_->empty()) throw std::logic_error("Hold without a set");
  return Pending(CurrentOrigin(), inputs_->time(), pending_);
}

Pending RunContext::Hold(const ItemRef& item, Time time) { return Pending(OriginOf(item), time, pending_); }

Time RunContext::StartEpoch(Time at) {
  if (!credits_) throw std::logic_error("StartEpoch in a node that is no source");
  epoch_ = run_.NextEpoch();
  return outputs_.StartEpoch(at, Packet::kDiscontinuity);
}

void RunContext::StartEpochAfterGap() {
  epoch_ = run_.NextEpoch();
  outputs_.StartEpoch(Time::Min(), Packet::kDiscontinuity | Packet::kGap);
}

void RunContext::CountRepair(std::string_view kind, int64_t num) {
  uint64_t& count = repairs_[std::string(kind)];
  if (count == 0 && num > 0)
    run_.Note(RunNote::Kind::kRepair, node_, "begins to mend what comes in (" + std::string(kind) + ")");
  count += static_cast<uint64_t>(num);
}

void RunContext::FailPending(ErrorKind kind, const std::string& reason) {
  const ItemRef item = CurrentOrigin().item;
  for (const PendingTimes::Work& work : pending_->TakeAll()) {
    const bool is_presented = !inputs_->empty() && work.time == inputs_->time() && work.origin.item == item;
    if (is_presented) continue;
    outputs_.SendError(MakeError(kind, reason, work.time, work.origin));
  }
}

void RunContext::EndChunk(std::string key) {
  if (!credits_) throw std::logic_error("EndChunk in a node that is no source");
  run_.EndChunk(std::move(key), outputs_.EndTime(), epoch_);
}

void RunContext::Resume() {
  if (!credits_ || !run_.resume()) return;
  epoch_ = run_.resume()->epoch;
  outputs_.RaiseBounds(run_.resume()->end);
}

void RunContext::StartAt(Time time) {
  start_ = time;
  outputs_.RaiseBounds(time);
}

ItemRef RunContext::TakeStartedItem() {
  ItemRef item = std::exchange(new_item_, nullptr);
  if (item) item->Release();
  return item;
}

std::optional<std::string> RunContext::resume_chunk() const {
  return run_.resume() ? std::optional(run_.resume()->key) : std::nullopt;
}

std::optional<int64_t> RunContext::committed_position() const {
  if (!run_.cut_points()) return std::nullopt;
  if (!run_.resume()) return 0;
  const auto position = run_.resume()->positions.find(name_);
  return position == run_.resume()->positions.end() ? 0 : position->second;
}

Duration RunContext::Now() const { return run_.Now(); }
void RunContext::WakeAt(Duration run_time) { wake_at_ = run_.start() + run_time; }
bool RunContext::cancelled() const { return run_.stopping() || is_cut_off(); }
bool RunContext::run_failed() const { return run_.failed(); }
const Services& RunContext::services() const { return run_.services(); }
const GraphLimits& RunContext::limits() const { return run_.limits(); }

}  // namespace percept::graph
