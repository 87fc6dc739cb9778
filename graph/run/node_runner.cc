// SPDX-License-Identifier: Apache-2.0
#include "graph/run/node_runner.h"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

#include "graph/run/pace.h"

namespace percept::graph {
namespace {

// What a call on a thread of its own needs; the run goes last.
struct ThreadKeep {
  std::shared_ptr<RunState> run;
  std::shared_ptr<NodeRunner> runner;
};

}  // namespace

NodeRunner::NodeRunner(RunState& run, const CheckedNode& node, size_t order, std::shared_ptr<Part> part)
    : Timer(static_cast<int64_t>(order)),
      run_(run),
      part_(std::move(part)),
      node_(node),
      runs_(part_ && part_->is_added() ? part_->runs : run.runs()),
      order_(order),
      wake_state_(std::make_shared<WakeState>(*this)),
      pending_(std::make_shared<PendingTimes>(wake_state_)),
      credits_(node.contract.source == SourceKind::kNone
                   ? nullptr
                   : std::make_shared<SourceCredits>(node.in_flight, wake_state_)),
      outputs_(node.name, node.contract.outputs, run.observer()),
      set_(node.input_ports),
      no_set_(node.input_ports),
      state_account_(node.contract.state),
      context_(run, node, no_set_, outputs_, wake_state_, pending_, credits_, state_account_),
      growing_(node.grows ? std::make_unique<GrowingInputs>() : nullptr),
      has_begun_(!part_ || !part_->is_added()),
      last_answer_(credits_ ? Process::kHaveOutput : Process::kNeedInput),
      presented_(&no_set_) {
  priority = node.depth;
  if (!run.observer()) return;
  on_packet_ = [this](size_t port_idx, const Packet& packet, Edge::Level level) {
    run_.observer()->OnEvent({TraceKind::kReceived, node_.name, set_.ports()[port_idx], packet.timestamp(),
                              packet.origin().trace_id, level.packets, level.bytes, inputs_[port_idx]->name(), "",
                              packet.is_error()});
  };
}

NodeRunner::~NodeRunner() { wake_state_->Detach(); }

void NodeRunner::MakeNode(const Services& services) {
  if (node_.parallel > 1) {
    auto lanes = std::make_unique<Lanes>(run_, *this, order_, outputs_, wake_state_);
    lanes_ = lanes.get();
    instance_ = std::move(lanes);
  } else {
    instance_ = node_.make(node_.params, services);
  }
  if (credits_ && node_.contract.own_thread) {
    thread_ = std::make_unique<SourceThread>(run_, context_, [this] { OnThreadReturn(); });
  }
  if (!credits_) join_ = MakeJoin(node_.join, inputs_, run_.clock(), state_account_);
}

void NodeRunner::DropNode() {
  lanes_ = nullptr;
  instance_.reset();
}

void NodeRunner::Notify() {
  State state = state_.load();
  while (true) {
    if (state == State::kIdle) {
      if (!state_.compare_exchange_weak(state, State::kReady)) continue;
      run_.Enter();
      run_.executor().Enqueue(*this);
      return;
    }
    if (state != State::kRunning) return;
    if (state_.compare_exchange_weak(state, State::kRunningAgain)) return;
  }
}

void NodeRunner::OnWake() {
  woken_.store(true);
  Notify();
}

void NodeRunner::OnHoldersGone(int64_t num_gone, bool call) {
  // Active while the count goes down and the node gets ready: nobody may take the graph for still in between, and
  // somebody has to look once more after it.
  run_.Enter();
  run_.AddWakers(-num_gone);
  if (call) OnWake();
  run_.Leave();
}

void NodeRunner::Run() noexcept {
  const std::shared_ptr<RunState> keep = run_.shared_from_this();
  const RunState::AtWork at_work(*keep);
  Pace pace(run_.clock());
  state_.store(State::kRunning);
  for (unsigned calls = 1;; ++calls) {
    const Step step = Look();
    if (step == Step::kClosed) return keep->OnClosed(part_.get());
    const bool gives_way = calls >= kMaxCallsPerRun || pace.IsOver(calls);
    if (step == Step::kCalled && !gives_way) continue;
    ForwardBounds();
    KeepTime();
    State running = State::kRunning;  // once idle, another worker may end the node, and its part may go: `keep` stays
    if (step == Step::kWaiting && state_.compare_exchange_strong(running, State::kIdle)) return keep->Leave();
    if (gives_way) break;
    state_.store(State::kRunning);  // something changed meanwhile: look again
  }
  state_.store(State::kReady);
  run_.executor().Enqueue(*this);
}

NodeRunner::Step NodeRunner::Look() {
  try {
    return DoStep();
  } catch (...) {
    run_.OnNodeFailure(*this, std::current_exception());
    return Step::kCalled;  // the next look closes the node
  }
}

NodeRunner::Step NodeRunner::DoStep() {
  if (thread_ && thread_->busy()) {
    if (const std::optional<Step> step = StepThread()) return *step;
  }
  if (stopping()) {
    Close();
    return Step::kClosed;
  }
  if (has_failed_.load()) return FinishAsFailed();
  if (!is_open_) return Open();
  if (!runs_.load()) return Step::kWaiting;
  if (!has_begun_) Begin();
  if (growing_ && growing_->changed()) ChangeInputs();
  if (is_finished_) return Finish();
  // What is committed is told of every chunk, read or not.
  if (is_unread() && !run_.cut_points()) return FinishUnread();
  if (credits_ && ending()) {
    if (const std::optional<Step> step = StepDrain()) return *step;
  }
  TakeDueWake();
  if (supervisor_) {
    if (const std::optional<Step> step = StepRecovery()) return *step;
  }
  if (!outputs_.has_room() && HasNothingToSend()) return Step::kWaiting;
  if (!outputs_.HasRoom() || !HasCredit()) {
    if (join_) join_->TakeAhead(on_packet_);
    return Step::kWaiting;
  }
  if (stopping()) return Step::kCalled;  // the room may be that of a reader that has closed: the next look closes this
  return last_answer_ == Process::kNeedInput ? StepInput() : StepAgain();
}

bool NodeRunner::HasNothingToSend() const {
  const bool takes_singly = inputs_.size() == 1 && node_.join.kind == JoinKind::kSettled && !cutter_ && !growing_;
  if (!takes_singly || last_answer_ != Process::kNeedInput || !set_.empty() || woken_.load()) return false;
  if (outputs_.has_staged()) return false;
  const Edge::View input = inputs_[0]->Look();
  return input.head == Time::Unset() && !input.ended();
}

NodeRunner::Step NodeRunner::Open() {
  is_open_ = true;
  try {
    context_.Begin(no_set_);
    context_.Resume();
    instance_->Open(context_);
    RestoreState();
  } catch (...) {
    run_.OnNodeFailure(*this, std::current_exception());
    return Step::kCalled;  // the next look closes the node
  }
  run_.OnOpened(part_.get());
  return Step::kCalled;
}

NodeRunner::Step NodeRunner::StepAgain() {
  if (!woken_.exchange(false) && last_answer_ == Process::kBlocked) return Step::kWaiting;
  return Call(*presented_);
}

NodeRunner::Step NodeRunner::StepInput() {
  Join::Answer answer = Join::Answer::kSet;
  if (set_.empty()) answer = join_->Next(set_, on_packet_);
  if (growing_ && !MayEnd(answer)) answer = Join::Answer::kWait;
  const bool is_set = answer == Join::Answer::kSet;
  const bool is_error = is_set && !node_.contract.accepts_errors && set_.FirstError();
  if (cutter_ && !TakeCuts(is_set && (!is_error || pending_->empty()))) return Step::kCalled;
  if (is_set && !is_error) {
    woken_.store(false);
    return Call(set_);
  }
  // What is pending is older than an error that waits here: it goes first.
  if (is_error && pending_->empty()) {
    PassErrorOn();
    return Step::kCalled;
  }
  const bool flush = answer == Join::Answer::kEnded && pending_->empty();
  if (!woken_.exchange(false) && !flush) return Step::kWaiting;
  is_flushing_ = flush;
  return Call(no_set_);
}

NodeRunner::Step NodeRunner::Call(const InputSet& set) {
  presented_ = &set;
  ++counts_.runs;
  Trace(TraceKind::kRunBegin, set.time());
  context_.Begin(set);
  if (thread_) {
    thread_->Call(instance_, std::make_shared<ThreadKeep>(ThreadKeep{run_.shared_from_this(), shared_from_this()}));
    run_.AddWakers(1);  // the call may be over: nobody looks at the count while this node runs
    return Step::kWaiting;
  }
  CallOutcome outcome;
  try {
    outcome.answer = CallNode();
  } catch (...) {
    outcome.cause = std::current_exception();
  }
  EndCall(outcome);
  return Step::kCalled;
}

void NodeRunner::EndCall(const CallOutcome& outcome) {
  context_.End();
  Trace(TraceKind::kRunEnd, presented_->time());
  try {
    if (outcome.cause) std::rethrow_exception(outcome.cause);
    TakeAnswer(outcome.answer);
    if (supervisor_) OnRecovered();
  } catch (...) {
    using Call = Supervisor::Call;
    const Call call = is_flushing_ ? Call::kFlush : presented_->empty() ? Call::kWithoutSet : Call::kWithSet;
    Recover(std::current_exception(), call);
  }
}

graph::Process NodeRunner::CallNode() {
  if (is_flushing_) {
    const graph::Process answer = instance_->Flush(context_);
    // There is no input left to need: it waits for its Waker.
    return answer == Process::kNeedInput ? Process::kBlocked : answer;
  }
  return instance_->Process(context_);
}

void NodeRunner::TakeAnswer(graph::Process answer) {
  if (credits_ && answer == Process::kNeedInput) {
    throw std::logic_error("a source answered kNeedInput: it has no input");
  }
  last_answer_ = answer;
  is_finished_ = answer == Process::kFinished;
  if (is_finished_ && growing_) growing_->End();
  if (is_finished_ && credits_) OnSourceEnd();
  if (answer == Process::kHaveOutput || answer == Process::kBlocked) return;
  if (presented_ == &set_) ReleaseSet();
  presented_ = &no_set_;
}

bool NodeRunner::TakeCuts(bool presents_set) {
  try {
    const Time passed = set_.empty() ? join_->Bound() : set_.time();
    cutter_->Cut(*instance_, passed, pending_->Earliest(), presents_set);
    return true;
  } catch (...) {
    run_.OnNodeFailure(*this, std::current_exception());
    return false;
  }
}

bool NodeRunner::TakeLastCut() {
  try {
    cutter_->CutLast(*instance_);
    return true;
  } catch (...) {
    run_.OnNodeFailure(*this, std::current_exception());
    return false;
  }
}

void NodeRunner::RestoreState() {
  if (!run_.resume() || node_.contract.state_kind != StateKind::kSaved) return;
  const auto state = run_.resume()->states.find(node_.name);
  if (state != run_.resume()->states.end()) instance_->RestoreState(state->second);
}

void NodeRunner::PassErrorOn() {
  outputs_.SendError(Packet(*set_.FirstError()).WithTimestamp(set_.time()));
  ReleaseSet();
}

void NodeRunner::ReleaseSet() {
  if (set_.empty()) return;
  ++counts_.sets;
  passed_ = set_.time().Next();
  if (!inputs_.front()->limits().releases_credits) set_.ReleaseCredits();
  set_.Clear();
}

void NodeRunner::ForwardBounds() {
  if (!join_ || !is_open_ || is_finished_) return;
  const Time bound =
      std::min({pending_->Earliest(), context_.held_bound(), set_.empty() ? join_->Bound() : set_.time()});
  // All inputs have ended: the outputs end when the node has said so, for which they may need room.
  outputs_.RaiseBounds(bound == Time::Max() ? passed_ : bound);
}

NodeRunner::Step NodeRunner::Finish() {
  outputs_.RaiseBounds(Time::Max());
  if (!outputs_.FlushStaged()) return Step::kWaiting;
  if (cutter_ && !TakeLastCut()) return Step::kCalled;
  Close();
  return Step::kClosed;
}

void NodeRunner::Close() {
  if (thread_) thread_->Stop();
  if (context_.is_cut_off() && !run_.stopping()) ReportCutOff();
  if (run_.stopping()) CountLost();
  ReleaseSet();
  outputs_.Drop();
  CloseInputs();
  if (is_open_ && instance_) {
    try {
      instance_->Close();
    } catch (...) {
      run_.OnNodeFailure(*this, std::current_exception());
    }
  }
  wake_state_->Detach();
  DropTimer();
  state_.store(State::kClosed);
}

}  // namespace percept::graph
