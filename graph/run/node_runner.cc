// SPDX-License-Identifier: Apache-2.0
#include "graph/run/node_runner.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

namespace percept::graph {
namespace {

// A node gives way to others after so many calls, or so much time: long enough to make queueing cheap, short enough
// that what is nearer to the sink soon runs first.
constexpr int kMaxCallsPerRun = 32;
constexpr std::chrono::microseconds kMaxRunTime{100};

}  // namespace

NodeRunner::NodeRunner(RunState& run, const CheckedNode& node)
    : run_(run),
      node_(node),
      wake_state_(std::make_shared<WakeState>(*this)),
      pending_(std::make_shared<PendingTimes>(wake_state_)),
      credits_(node.contract.source == SourceKind::kNone
                   ? nullptr
                   : std::make_shared<SourceCredits>(node.in_flight, wake_state_)),
      outputs_(node.name, node.contract.outputs, run.observer()),
      set_(node.input_ports),
      no_set_(node.input_ports),
      context_(run, node, no_set_, outputs_, wake_state_, pending_, credits_),
      last_answer_(credits_ ? Process::kHaveOutput : Process::kNeedInput),
      presented_(&no_set_) {
  priority = node.depth;
  on_packet_ = [this](size_t port_idx, const Packet& packet, Edge::Level level) {
    if (!run_.observer()) return;
    run_.observer()->OnEvent({TraceKind::kReceived, node_.name, node_.input_ports[port_idx], packet.timestamp(),
                              packet.origin().trace_id, level.packets, level.bytes});
  };
}

NodeRunner::~NodeRunner() { wake_state_->Detach(); }

void NodeRunner::MakeNode(const Services& services) {
  instance_ = node_.make(node_.params, services);
  if (!credits_) join_ = std::make_unique<SettledJoin>(std::span<Edge* const>(inputs_));
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
  const auto start = std::chrono::steady_clock::now();
  state_.store(State::kRunning);
  for (int calls = 0;; ++calls) {
    const Step step = DoStep();
    if (step == Step::kClosed) return run_.Leave();
    const bool gives_way = calls + 1 >= kMaxCallsPerRun || std::chrono::steady_clock::now() - start >= kMaxRunTime;
    if (step == Step::kCalled && !gives_way) continue;
    ForwardBounds();
    State running = State::kRunning;
    if (step == Step::kWaiting && state_.compare_exchange_strong(running, State::kIdle)) return run_.Leave();
    if (gives_way) break;
    state_.store(State::kRunning);  // something changed meanwhile: look again
  }
  state_.store(State::kReady);
  run_.executor().Enqueue(*this);
}

NodeRunner::Step NodeRunner::DoStep() {
  if (run_.stopping()) {
    Close();
    return Step::kClosed;
  }
  if (!is_open_) return Open();
  if (!run_.all_open()) return Step::kWaiting;
  if (is_finished_) return Finish();
  if (!outputs_.HasRoom() || !HasCredit()) return Step::kWaiting;
  return last_answer_ == Process::kNeedInput ? StepInput() : StepAgain();
}

NodeRunner::Step NodeRunner::Open() {
  is_open_ = true;
  try {
    context_.Begin(no_set_);
    instance_->Open(context_);
  } catch (...) {
    run_.OnNodeFailure(node_, std::current_exception());
    return Step::kCalled;  // the next look closes the node
  }
  run_.OnOpened();
  return Step::kCalled;
}

NodeRunner::Step NodeRunner::StepAgain() {
  if (!woken_.exchange(false) && last_answer_ == Process::kBlocked) return Step::kWaiting;
  return Call(*presented_);
}

NodeRunner::Step NodeRunner::StepInput() {
  SettledJoin::Answer answer = SettledJoin::Answer::kSet;
  if (set_.empty()) answer = join_->Next(set_, on_packet_);
  const bool is_set = answer == SettledJoin::Answer::kSet;
  const bool is_error = is_set && !node_.contract.accepts_errors && set_.FirstError();
  if (is_set && !is_error) {
    woken_.store(false);
    return Call(set_);
  }
  // What is pending is older than an error that waits here: it goes first.
  if (is_error && pending_->empty()) {
    PassErrorOn();
    return Step::kCalled;
  }
  const bool flush = answer == SettledJoin::Answer::kEnded && pending_->empty();
  if (!woken_.exchange(false) && !flush) return Step::kWaiting;
  is_flushing_ = flush;
  return Call(no_set_);
}

NodeRunner::Step NodeRunner::Call(const InputSet& set) {
  presented_ = &set;
  ++counts_.runs;
  Trace(TraceKind::kRunBegin, set.time());
  context_.Begin(set);
  try {
    const graph::Process answer = CallNode(set);
    context_.End();
    Trace(TraceKind::kRunEnd, set.time());
    TakeAnswer(answer);
  } catch (...) {
    context_.End();
    Trace(TraceKind::kRunEnd, set.time());
    run_.OnNodeFailure(node_, std::current_exception());
  }
  return Step::kCalled;
}

graph::Process NodeRunner::CallNode(const InputSet& set) {
  if (is_flushing_) {
    const graph::Process answer = instance_->Flush(context_);
    // There is no input left to need: it waits for its Waker.
    return answer == Process::kNeedInput ? Process::kBlocked : answer;
  }
  try {
    return instance_->Process(context_);
  } catch (const BadInputError& error) {
    if (set.empty()) throw;
    context_.SendError(ErrorKind::kBadInput, error.what());
    return Process::kNeedInput;
  }
}

void NodeRunner::TakeAnswer(graph::Process answer) {
  if (credits_ && answer == Process::kNeedInput) {
    throw std::logic_error("a source answered kNeedInput: it has no input");
  }
  last_answer_ = answer;
  is_finished_ = answer == Process::kFinished;
  if (answer == Process::kHaveOutput || answer == Process::kBlocked) return;
  if (presented_ == &set_) ReleaseSet();
  presented_ = &no_set_;
}

void NodeRunner::PassErrorOn() {
  const Packet error = *set_.FirstError();
  outputs_.SendError(error);
  ReleaseSet();
}

void NodeRunner::ReleaseSet() {
  if (set_.empty()) return;
  ++counts_.sets;
  set_.ReleaseCredits();
  set_.Clear();
}

void NodeRunner::ForwardBounds() {
  if (!join_ || !is_open_ || is_finished_) return;
  const Time bound = std::min(pending_->Earliest(), set_.empty() ? join_->Bound() : set_.time());
  // All inputs have ended: the outputs end when the node has said so.
  if (bound != Time::Max()) outputs_.RaiseBounds(bound);
}

NodeRunner::Step NodeRunner::Finish() {
  outputs_.RaiseBounds(Time::Max());
  if (!outputs_.FlushStaged()) return Step::kWaiting;
  Close();
  return Step::kClosed;
}

void NodeRunner::Close() {
  ReleaseSet();
  outputs_.Drop();
  for (Edge* input : inputs_) input->Close();
  if (is_open_) {
    try {
      instance_->Close();
    } catch (...) {
      run_.OnNodeFailure(node_, std::current_exception());
    }
  }
  wake_state_->Detach();
  state_.store(State::kClosed);
  run_.OnClosed();
}

void NodeRunner::Trace(TraceKind kind, Time time) const {
  if (run_.observer()) run_.observer()->OnEvent({kind, node_.name, "", time, 0, 0, 0});
}

NodeCounts NodeRunner::counts() const {
  NodeCounts counts = counts_;
  counts.node = node_.name;
  counts.sent = outputs_.num_sent();
  counts.errors = context_.num_errors();
  counts.unmatched = join_ ? join_->num_unmatched() : 0;
  return counts;
}

std::string NodeRunner::DescribeWait() const {
  if (state_.load() == State::kClosed) return "";
  const std::string who = "node '" + node_.name + "' (" + node_.contract.type + ") ";
  if (const Edge* edge = outputs_.FullEdge()) {
    return who + "waits for room on " + edge->name() + " (" + edge->Describe() + ")";
  }
  if (!HasCredit()) {
    const std::string limit = std::to_string(credits_->limit());
    return who + "waits for a credit: " + limit + " of " + limit + " items are in flight";
  }
  if (last_answer_ == Process::kBlocked) return who + "is blocked, but nobody holds its Waker";
  std::string text = who;
  if (!pending_->empty()) {
    text += "has work pending at " + pending_->Earliest().ToString() + ", but nobody holds its Waker";
    return text;
  }
  text += "waits for input";
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const Edge::View view = inputs_[i]->Look();
    if (view.head == Time::Unset() && !view.ended()) {
      text += " '" + node_.input_ports[i] + "' (" + inputs_[i]->Describe() + ")";
    }
  }
  return text;
}

}  // namespace percept::graph
