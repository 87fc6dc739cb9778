// SPDX-License-Identifier: Apache-2.0
// What a NodeRunner does with sources only: credits, calls on a thread of their own, their end.
#include <utility>

#include "graph/run/node_runner.h"

namespace percept::graph {

void NodeRunner::Begin() {
  has_begun_ = true;
  if (credits_) context_.StartAt(part_->start);
}

std::optional<NodeRunner::Step> NodeRunner::StepDrain() {
  InterruptForDrain();
  if (!pending_->empty() || node_.contract.drains) return std::nullopt;
  is_finished_ = true;
  OnSourceEnd();
  return Finish();
}

bool NodeRunner::HasCredit() {
  if (!credits_) return true;
  const bool is_free = credits_->available();
  context_.AllowItem(is_free);
  return is_free || !pending_->empty();
}

std::optional<NodeRunner::Step> NodeRunner::StepThread() {
  if (const std::optional<CallOutcome> outcome = thread_->TakeOutcome()) {
    EndCall(*outcome);
    return Step::kCalled;
  }
  if (stopping()) return StepAbandon();
  if (ending() || (is_unread() && !run_.cut_points())) InterruptForDrain();
  return Step::kWaiting;
}

std::optional<NodeRunner::Step> NodeRunner::StepAbandon() {
  const Duration now = run_.clock().Now();
  if (!abandon_at_) {
    abandon_at_ = now + run_.abandon_after();
    KeepTime();
    instance_->Interrupt();
    return Step::kWaiting;
  }
  if (now < *abandon_at_ || !thread_->Abandon()) return Step::kWaiting;
  instance_.reset();  // the call's own
  if (run_.stopping()) {
    run_.OnAbandoned(node_);
  } else {
    run_.OnAbandoned(node_, context_.TakeStartedItem());
  }
  run_.AddWakers(-1);
  return std::nullopt;
}

void NodeRunner::OnThreadReturn() {
  // As for a Waker: nobody may take the graph for still in between.
  run_.Enter();
  run_.AddWakers(-1);
  Notify();
  run_.Leave();
}

void NodeRunner::InterruptForDrain() {
  if (std::exchange(is_interrupted_, true)) return;
  if (instance_) instance_->Interrupt();
  woken_.store(true);
}

void NodeRunner::OnSourceEnd() {
  // What a source answers after it was interrupted does not say that its input has ended.
  if (run_.draining()) {
    run_.OnDrained();
  } else if (run_.cut_points()) {
    run_.cut_points()->OnSourceEnd();
  }
}

}  // namespace percept::graph
