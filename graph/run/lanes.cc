// SPDX-License-Identifier: Apache-2.0
#include "graph/run/lanes.h"

#include <algorithm>
#include <utility>

#include "graph/run/node_runner.h"
#include "graph/run/run_state.h"

namespace percept::graph {

Lanes::Lanes(RunState& run, NodeRunner& runner, size_t order, const OutputPorts& outputs,
             const std::shared_ptr<WakeState>& wake_state)
    : run_(run), runner_(runner), node_(runner.node()), supervisor_(node_, order) {
  for (int64_t i = 0; i < node_.parallel; ++i) {
    lanes_.push_back(std::make_unique<Lane>(run, runner, outputs, wake_state));
  }
}

void Lanes::AddTo(NodeCounts& counts) const {
  counts.runs -= num_own_calls_;
  for (const auto& lane : lanes_) counts.runs += lane->num_calls();
  counts.retries += num_retries_;
  counts.restarts += num_restarts_;
}

void Lanes::Open(NodeContext&) {
  for (const auto& lane : lanes_) lane->Open();
}

graph::Process Lanes::Process(NodeContext& context) {
  ++num_own_calls_;
  try {
    return Step(context);
  } catch (...) {
    run_.OnNodeFailure(runner_, std::current_exception());
    return Process::kBlocked;
  }
}

graph::Process Lanes::Step(NodeContext& context) {
  const Sent sent = SendResults(context);
  if (sent == Sent::kFinished) return Process::kFinished;
  Deal(context);
  for (size_t i = 0; i < num_at_work_; ++i) {
    Lane& lane = *lanes_[(first_ + i) % lanes_.size()];
    if (&lane != mending_) lane.CallWhereDue();
  }
  SetTimer(context);
  if (sent == Sent::kNoRoom) return Process::kHaveOutput;
  if (!context.inputs().empty() && !set_is_taken_) return Process::kBlocked;
  set_is_taken_ = false;
  return Process::kNeedInput;
}

Lanes::Sent Lanes::SendResults(NodeContext& context) {
  while (Mend() && num_at_work_ > 0 && !lanes_[first_]->is_called() && !run_.stopping()) {
    Lane& lane = *lanes_[first_];
    if (!Send(lane, context)) return Sent::kNoRoom;
    if (std::exception_ptr cause = lane.TakeCause()) {
      Recover(lane, std::move(cause), context);
      continue;
    }
    if (supervisor_.OnSuccess()) run_.SetReady(node_);
    if (lane.answer() == Process::kFinished) return Sent::kFinished;
    if (lane.answer() != Process::kNeedInput) break;
    ReleaseFirst();
  }
  return Sent::kAll;
}

bool Lanes::Send(Lane& lane, NodeContext& context) {
  for (; !lane.sent().empty(); lane.sent().pop_front()) {
    LaneContext::Sent& sent = lane.sent().front();
    switch (sent.kind) {
      case LaneContext::Sent::Kind::kError:
        context.SendError(sent.error_kind, std::move(sent.reason), lane.work());
        break;
      case LaneContext::Sent::Kind::kBound:
        context.SetBound(sent.port, sent.bound);
        break;
      case LaneContext::Sent::Kind::kPacket:
        if (!context.CanSend(sent.port)) return false;
        try {
          context.Send(sent.port, std::move(sent.packet), lane.work());
        } catch (...) {
          // The instance would have met it in its own call.
          lane.sent().clear();
          lane.SetCause(std::current_exception());
          return true;
        }
    }
  }
  return true;
}

void Lanes::ReleaseFirst() {
  lanes_[first_]->Release();
  first_ = (first_ + 1) % lanes_.size();
  --num_at_work_;
}

void Lanes::Deal(NodeContext& context) {
  if (context.inputs().empty() || set_is_taken_ || mending_ || num_at_work_ == lanes_.size()) return;
  Pending work = context.Hold();
  lanes_[(first_ + num_at_work_++) % lanes_.size()]->Take(context.inputs(), std::move(work));
  set_is_taken_ = true;
}

void Lanes::SetTimer(NodeContext& context) const {
  std::optional<Duration> wanted;
  if (supervisor_.again_at()) wanted = *supervisor_.again_at() - run_.start();
  for (const auto& lane : lanes_) {
    const std::optional<Duration> at = lane->has_set() ? lane->wake_at() : std::nullopt;
    if (at && (!wanted || *at < *wanted)) wanted = at;
  }
  if (wanted) context.WakeAt(*wanted);
}

void Lanes::Recover(Lane& lane, std::exception_ptr cause, NodeContext& context) {
  const Duration now = run_.clock().Now();
  Supervisor::Verdict verdict = supervisor_.OnException(cause, Supervisor::Call::kWithSet, now);
  switch (verdict.action) {
    case Supervisor::Action::kRetry:
    case Supervisor::Action::kRebuild:
      return WaitToTryAgain(lane, verdict, now);
    case Supervisor::Action::kFail:
      return run_.OnNodeFailure(runner_, std::move(cause), verdict.times);
    case Supervisor::Action::kRestart:
      run_.Note(RunNote::Kind::kRestart, node_, "failed and is made anew: " + verdict.reason);
      mending_ = &lane;
      needs_rebuild_ = true;
      break;
    case Supervisor::Action::kRefuseSet:
      run_.SetReady(node_);
  }
  context.SendError(verdict.kind, std::move(verdict.reason), lane.work());
  ReleaseFirst();
}

void Lanes::WaitToTryAgain(Lane& lane, const Supervisor::Verdict& verdict, Duration now) {
  ++num_retries_;
  mending_ = &lane;
  needs_rebuild_ = verdict.action == Supervisor::Action::kRebuild;
  run_.SetUnready(node_, supervisor_.DescribeWait(now) + ": " + verdict.reason);
}

bool Lanes::Mend() {
  if (!mending_) return true;
  if (supervisor_.again_at() && run_.clock().Now() < *supervisor_.again_at()) return false;
  supervisor_.ClearWait();
  if (std::exchange(needs_rebuild_, false) && !Rebuild(*mending_)) return false;
  Lane& lane = *std::exchange(mending_, nullptr);
  if (lane.has_set()) lane.CallAgain();
  return true;
}

bool Lanes::Rebuild(Lane& lane) {
  ++num_restarts_;
  try {
    lane.Rebuild();
    return true;
  } catch (...) {
    std::exception_ptr cause = std::current_exception();
    const Duration now = run_.clock().Now();
    const Supervisor::Verdict verdict = supervisor_.OnException(cause, Supervisor::Call::kReopen, now);
    if (verdict.action == Supervisor::Action::kRebuild) {
      WaitToTryAgain(lane, verdict, now);
    } else {
      run_.OnNodeFailure(runner_, std::move(cause), verdict.times);
    }
    return false;
  }
}

graph::Process Lanes::Flush(NodeContext& context) {
  while (num_flushed_ < lanes_.size()) {
    const graph::Process answer = lanes_[num_flushed_]->Flush(context);
    if (answer != Process::kFinished) return answer;
    ++num_flushed_;
  }
  return Process::kFinished;
}

void Lanes::Close() {
  for (const auto& lane : lanes_) lane->Close();
}

}  // namespace percept::graph
