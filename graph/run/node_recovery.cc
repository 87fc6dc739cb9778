// SPDX-License-Identifier: Apache-2.0
// What a NodeRunner does after an exception from its node.
#include <exception>
#include <utility>

#include "graph/run/node_runner.h"

namespace percept::graph {

void NodeRunner::Recover(std::exception_ptr cause, Supervisor::Call call) {
  if (!supervisor_) supervisor_ = std::make_unique<Supervisor>(node_, order_);
  const Duration now = run_.clock().Now();
  Supervisor::Verdict verdict = supervisor_->OnException(cause, call, now);
  try {
    switch (verdict.action) {
      case Supervisor::Action::kRefuseSet:
        run_.SetReady(node_);
        context_.RefuseSet(verdict.kind, std::move(verdict.reason), verdict.is_told);
        TakeAnswer(Process::kNeedInput);
        return;
      case Supervisor::Action::kRetry:
      case Supervisor::Action::kRebuild:
        WaitToTryAgain(verdict, now);
        return;
      case Supervisor::Action::kRestart:
        run_.Note(RunNote::Kind::kRestart, node_, "failed and is made anew: " + verdict.reason);
        context_.FailPending(verdict.kind, verdict.reason);
        if (!presented_->empty()) context_.SendError(verdict.kind, std::move(verdict.reason));
        TakeAnswer(Process::kNeedInput);
        needs_rebuild_ = true;
        return;
      case Supervisor::Action::kFail:
        run_.OnNodeFailure(*this, std::move(cause), verdict.times);
        return;
    }
  } catch (...) {
    run_.OnNodeFailure(*this, std::current_exception());
  }
}

void NodeRunner::WaitToTryAgain(const Supervisor::Verdict& verdict, Duration now) {
  ++counts_.retries;
  if (verdict.action == Supervisor::Action::kRebuild) {
    needs_rebuild_ = true;
    context_.FailPending(verdict.kind, verdict.reason);  // the set itself is kept
  }
  const bool same_call = !needs_rebuild_ || !presented_->empty();
  last_answer_ = same_call ? Process::kHaveOutput : Process::kNeedInput;
  if (credits_) context_.StartEpochAfterGap();
  run_.SetUnready(node_, supervisor_->DescribeWait(now) + ": " + verdict.reason);
}

void NodeRunner::OnRecovered() {
  if (supervisor_->OnSuccess()) run_.SetReady(node_);
}

std::optional<NodeRunner::Step> NodeRunner::StepRecovery() {
  if (supervisor_->again_at() && run_.clock().Now() < *supervisor_->again_at()) return Step::kWaiting;
  supervisor_->ClearWait();
  if (!needs_rebuild_) return std::nullopt;
  needs_rebuild_ = false;
  Rebuild();
  return Step::kCalled;
}

void NodeRunner::Rebuild() {
  ++counts_.restarts;
  try {
    if (instance_) instance_->Close();
  } catch (...) {
    instance_.reset();
    run_.OnNodeFailure(*this, std::current_exception());
    return;
  }
  instance_.reset();
  try {
    instance_ = node_.make(node_.params, run_.services());
    context_.Begin(no_set_);
    instance_->Open(context_);
  } catch (...) {
    Recover(std::current_exception(), Supervisor::Call::kReopen);
  }
}

}  // namespace percept::graph
