// SPDX-License-Identifier: Apache-2.0
#include "graph/run/lane.h"

#include <utility>

#include "graph/node/wake_state.h"
#include "graph/run/node_runner.h"
#include "graph/run/run_state.h"

namespace percept::graph {

Lane::Lane(RunState& run, NodeRunner& runner, const OutputPorts& outputs, std::shared_ptr<WakeState> runner_wake_state)
    : run_(run),
      runner_(runner),
      node_(runner.node()),
      runner_wake_state_(std::move(runner_wake_state)),
      wake_state_(std::make_shared<WakeState>(*this)),
      context_(run, node_, outputs, wake_state_),
      instance_(node_.make(node_.params, run.services())),
      set_(node_.input_ports),
      no_set_(node_.input_ports) {
  priority = node_.depth;
}

Lane::~Lane() { wake_state_->Detach(); }

void Lane::Open() {
  is_open_ = true;
  context_.Begin(no_set_);
  instance_->Open(context_);
}

void Lane::Rebuild() {
  CloseInstance();
  is_open_ = false;
  instance_.reset();
  instance_ = node_.make(node_.params, run_.services());
  Open();
}

void Lane::Close() {
  work_.Done();
  context_.GiveUp();
  wake_state_->Detach();
  if (state_.exchange(State::kClosed) == State::kAtRest) CloseInstance();
}

void Lane::CloseInstance() {
  if (!is_open_ || !instance_) return;
  try {
    instance_->Close();
  } catch (...) {
    run_.OnNodeFailure(runner_, std::current_exception());
  }
}

void Lane::Take(const InputSet& set, Pending work) {
  set_ = set;
  work_ = std::move(work);
  CallAgain();
}

void Lane::CallAgain() {
  woken_.store(false);
  keep_ = runner_.shared_from_this();
  state_.store(State::kCalled);
  run_.Enter();
  run_.executor().Enqueue(*this);
}

void Lane::CallWhereDue() {
  if (is_called() || cause_) return;
  const bool has_more = answer_ == Process::kHaveOutput && sent().empty();
  const bool is_due =
      answer_ == Process::kBlocked && (woken_.load() || (context_.wake_at() && run_.Now() >= *context_.wake_at()));
  if (has_more || is_due) CallAgain();
}

void Lane::Release() {
  set_.Clear();
  sent().clear();
  work_.Done();
}

std::optional<Duration> Lane::wake_at() const {
  return !is_called() && answer_ == Process::kBlocked ? context_.wake_at() : std::nullopt;
}

void Lane::Run() noexcept {
  const std::shared_ptr<RunState> keep = run_.shared_from_this();
  std::shared_ptr<void> owner = std::move(keep_);
  if (is_called()) {
    const RunState::AtWork at_work(*keep);
    Call();
  }
  State called = State::kCalled;
  if (state_.compare_exchange_strong(called, State::kAtRest)) {
    runner_wake_state_->Wake();
  } else {
    CloseInstance();  // closed meanwhile
  }
  owner.reset();  // perhaps with this lane: before the run can be over
  keep->Leave();
}

void Lane::Call() {
  ++num_calls_;
  context_.Begin(set_);
  Trace(TraceKind::kRunBegin);
  try {
    answer_ = instance_->Process(context_);
  } catch (...) {
    cause_ = std::current_exception();
    answer_ = Process::kNeedInput;
  }
  Trace(TraceKind::kRunEnd);
}

void Lane::Trace(TraceKind kind) const {
  if (run_.observer()) run_.observer()->OnEvent({kind, node_.name, "", set_.time(), 0, 0, 0});
}

void Lane::OnWake() {
  woken_.store(true);
  runner_wake_state_->Wake();
}

void Lane::OnHolderAdded() { run_.AddWakers(1); }

void Lane::OnHoldersGone(int64_t num_gone, bool call) {
  // Active meanwhile, so that nobody takes the graph for still in between.
  run_.Enter();
  run_.AddWakers(-num_gone);
  if (call) OnWake();
  run_.Leave();
}

}  // namespace percept::graph
