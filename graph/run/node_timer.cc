// SPDX-License-Identifier: Apache-2.0
// When a NodeRunner looks at its node by the clock.
#include <exception>

#include "graph/run/node_runner.h"

namespace percept::graph {

void NodeRunner::OnTimer() {
  Notify();  // before the count goes down: nobody may take the graph for still in between
  run_.AddTimers(-1);
}

void NodeRunner::TakeDueWake() {
  if (!context_.wake_at() || run_.clock().Now() < *context_.wake_at()) return;
  context_.ClearWakeAt();
  woken_.store(true);
}

std::optional<Duration> NodeRunner::NextTime() const {
  if (supervisor_ && supervisor_->again_at()) return supervisor_->again_at();
  const std::optional<Duration> deadline = join_ && set_.empty() ? join_->Deadline() : std::nullopt;
  const std::optional<Duration>& wake_at = context_.wake_at();
  return deadline && (!wake_at || *deadline < *wake_at) ? deadline : wake_at;
}

void NodeRunner::KeepTime() {
  try {
    UpdateTimer();
  } catch (...) {
    timer_at_.reset();
    run_.OnNodeFailure(*this, std::current_exception());
  }
}

void NodeRunner::UpdateTimer() {
  const bool is_in_call = thread_ && thread_->busy();
  if (is_in_call && !abandon_at_) return;
  const std::optional<Duration> wanted = is_in_call ? abandon_at_ : NextTime();
  if (wanted == timer_at_) return;
  DropTimer();
  if (!wanted) return;
  run_.AddTimers(1);  // before it may fire
  try {
    run_.clock().Arm(*this, *wanted);
  } catch (...) {
    run_.AddTimers(-1);
    throw;
  }
  timer_at_ = wanted;
}

void NodeRunner::DropTimer() {
  if (timer_at_ && run_.clock().Disarm(*this)) run_.AddTimers(-1);
  timer_at_.reset();
}

}  // namespace percept::graph
