// SPDX-License-Identifier: Apache-2.0
// What a NodeRunner does with inputs that come and go while it runs, and with what it has when it fails or its part is
// cut off.
#include <algorithm>
#include <utility>

#include "graph/run/node_runner.h"

namespace percept::graph {

void NodeRunner::EndSource() {
  ends_.store(true);
  Notify();
}

void NodeRunner::CutOff() {
  context_.CutOff();
  Notify();
}

void NodeRunner::ChangeInputs() {
  if (!set_.empty()) return;
  for (const GrowingInputs::Arrival& arrival : growing_->TakeArrivals()) TakeIn(arrival);
  for (const GrowingInputs::Departure& departure : growing_->TakeEnded()) LetGo(departure);
}

void NodeRunner::TakeIn(const GrowingInputs::Arrival& arrival) {
  const Time position = Position();
  arrival.edge->RaiseBound(position);
  inputs_.push_back(arrival.edge);
  set_.AddPort(arrival.port);
  no_set_.AddPort(arrival.port);
  join_->SetInputs(inputs_);
  run_.OnAttached(*arrival.part, *arrival.edge, position);
}

void NodeRunner::LetGo(const GrowingInputs::Departure& departure) {
  const auto found = std::find(inputs_.begin(), inputs_.end(), departure.edge);
  const size_t port_idx = static_cast<size_t>(found - inputs_.begin());
  inputs_.erase(found);
  set_.RemovePort(port_idx);
  no_set_.RemovePort(port_idx);
  join_->SetInputs(inputs_);
  run_.OnDetached(*departure.part, *departure.edge);
}

Time NodeRunner::Position() const {
  Time position = Time::Min();
  const auto reach = [&position](Time time) {
    if (time != Time::Max()) position = std::max(position, time);
  };
  reach(join_->Bound());
  reach(outputs_.LatestBound());
  // Nothing that lies on another input has to wait for the new one.
  for (const Edge* input : inputs_) {
    const Time bound = input->Look().bound;
    reach(bound == Time::Max() ? input->BoundBeforeEnd() : bound);
  }
  return position;
}

bool NodeRunner::MayEnd(Join::Answer answer) {
  const bool has_ended = answer == Join::Answer::kEnded;
  const bool is_open_end = has_ended && run_.keeps_open();
  SetOpenEnd(is_open_end);
  return !has_ended || is_flushing_ || (!is_open_end && growing_->TryEnd());
}

void NodeRunner::SetOpenEnd(bool is_open_end) {
  if (std::exchange(is_open_end_, is_open_end) == is_open_end) return;
  run_.AddOpenEnds(is_open_end ? 1 : -1);
}

void NodeRunner::CloseInputs() {
  for (Edge* input : inputs_) input->Close();
  if (!growing_) return;
  SetOpenEnd(false);
  const GrowingInputs::Rest rest = growing_->TakeRest();
  for (const GrowingInputs::Arrival& arrival : rest.arrivals) {
    arrival.edge->Close();
    run_.OnAttached(*arrival.part, *arrival.edge, Time::Min());
  }
  for (const GrowingInputs::Departure& departure : rest.departures) {
    run_.OnDetached(*departure.part, *departure.edge);
  }
}

void NodeRunner::OnUnread(const Packet& packet) {
  if (context_.is_cut_off() && !run_.stopping()) ReportLost(packet);
}

void NodeRunner::OnTooLate(const Packet& packet) {
  if (has_failed_.load()) CountLost(packet);
}

void NodeRunner::EndAsFailed() {
  has_failed_.store(true);
  Notify();
}

void NodeRunner::OnReaderClosed() {
  is_left_.store(true);
  Notify();
}

NodeRunner::Step NodeRunner::FinishUnread() {
  is_finished_ = true;
  if (growing_) growing_->End();
  if (credits_) OnSourceEnd();
  return Finish();
}

NodeRunner::Step NodeRunner::FinishAsFailed() {
  if (!is_finished_) CountLost();
  is_finished_ = true;
  if (growing_) growing_->End();
  return Finish();
}

void NodeRunner::CountLost() {
  for (const PendingTimes::Work& work : pending_->TakeAll()) run_.CountLost(work.origin.item);
  for (const std::string& port : set_.ports()) {
    for (const Packet& packet : set_.All(port)) CountLost(packet);
  }
  ReleaseSet();
  for (Edge* input : inputs_) input->Close([this](const Packet& packet) { CountLost(packet); });
  // Joins by the latest or nearest keep packets that have done their work.
  const bool keeps_work = node_.join.kind == JoinKind::kSettled || node_.join.kind == JoinKind::kWindow;
  for (int64_t i = 0; !is_finished_ && keeps_work && i < state_account_.items(); ++i) run_.CountLost(nullptr);
  if (!run_.stopping()) return;  // what is staged still goes
  for (const Packet& packet : outputs_.Staged()) CountLost(packet);
}

void NodeRunner::CountLost(const Packet& packet) {
  if (!packet.is_error()) run_.CountLost(packet.origin().item);
}

void NodeRunner::ReportCutOff() {
  for (const PendingTimes::Work& work : pending_->TakeAll()) ReportLost(work.origin.item, work.time.ToString());
  for (const std::string& port : set_.ports()) {
    for (const Packet& packet : set_.All(port)) ReportLost(packet);
  }
  for (const Packet& packet : outputs_.Staged()) ReportLost(packet);
  for (Edge* input : inputs_) input->Close([this](const Packet& packet) { ReportLost(packet); });
  if (state_account_.items() > 0) {
    ReportLost(nullptr, std::to_string(state_account_.items()) + " packets that it kept");
  }
  // Whoever reads from here goes on without.
  outputs_.Drop();
  outputs_.RaiseBounds(Time::Max());
}

void NodeRunner::ReportLost(const Packet& packet) {
  if (packet.is_error()) return;  // told before
  ReportLost(packet.origin().item, packet.timestamp().ToString());
}

void NodeRunner::ReportLost(const ItemRef& item, const std::string& what) {
  const std::string name = item ? item->label() : what;
  run_.RecordFailedItem(item,
                        {ErrorKind::kNode, name, "was at work when '" + part_->name + "' was cut off", node_.name});
}

}  // namespace percept::graph
