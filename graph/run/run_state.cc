// SPDX-License-Identifier: Apache-2.0
#include "graph/run/run_state.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <utility>

#include "graph/node/quantity.h"
#include "graph/run/counts.h"
#include "graph/run/node_runner.h"
#include "graph/run/steady_clock.h"
#include "graph/run/supervisor.h"

namespace percept::graph {
namespace {

constexpr size_t kMaxFailedItemsListed = 1000;

RunError ErrorOf(const CheckedNode& node, std::string reason, const std::string& times = "") {
  RunError error;
  error.node = node.name;
  error.position = node.position;
  error.reason = std::move(reason);
  const std::string place = node.position.ToString();
  error.message = (place.empty() ? "" : place + ": ") + "node '" + node.name + "' (" + node.contract.type + ") failed" +
                  times + ": " + error.reason;
  return error;
}

}  // namespace

RunState::RunState(const CheckedGraph& definition, Executor& executor, const Services& services, GraphOptions options)
    : definition_(definition),
      executor_(executor),
      services_(services),
      options_(std::move(options)),
      own_clock_(options_.clock ? nullptr : std::make_unique<SteadyClock>()),
      clock_(options_.clock ? *options_.clock : *own_clock_) {
  if (options_.commits) cut_points_ = std::make_unique<CutPoints>(definition_, *options_.commits);
  if (options_.resume) next_epoch_.store(options_.resume->epoch + 1);
}

RunState::~RunState() {
  if (!done_) DisarmDeadlines();  // it was never started
}

void RunState::Build() {
  for (const CheckedNode& node : definition_.nodes) MakeRunner(node, PartOf(node), runners_);
  for (const CheckedEdge& edge : definition_.edges) {
    const std::shared_ptr<NodeRunner>& to = runners_[edge.to_node];
    edges_.push_back(MakeEdge(edge, definition_.EdgeName(edge), runners_[edge.from_node], to));
    Edge& made = *edges_.back().edge;
    to->AddInput(made);
    Part* part = runners_[edge.from_node]->part();
    if (part && to->part() != part && to->growing()) {
      part->feeds.push_back({to.get(), &made, to->node().input_ports[edge.to_port], Part::Feed::State::kAttached});
    }
  }
  for (size_t i = 0; cut_points_ && i < runners_.size(); ++i) runners_[i]->SetCutter(cut_points_->cutter(i));
  for (const auto& runner : runners_) MakeNode(*runner);
}

std::shared_ptr<Part> RunState::PartOf(const CheckedNode& node) {
  if (node.instance.empty()) return nullptr;
  std::shared_ptr<Part>& part = parts_[node.instance];
  if (!part) part = std::make_shared<Part>(node.instance, node.template_name);
  return part;
}

void RunState::MakeRunner(const CheckedNode& node, const std::shared_ptr<Part>& part,
                          std::vector<std::shared_ptr<NodeRunner>>& runners) {
  runners.push_back(std::make_shared<NodeRunner>(*this, node, num_made_.fetch_add(1), part));
  if (part) ++part->num_nodes;
  if (!options_.keep_open && node.contract.dynamic_inputs && node.input_ports.empty()) {
    throw DefinitionError(node.position, "node '" + node.name + "' (" + node.contract.type +
                                             ") has no input yet: only a graph that is kept open can start so "
                                             "(GraphOptions::keep_open)");
  }
}

void RunState::MakeNode(NodeRunner& runner) const {
  const CheckedNode& node = runner.node();
  try {
    runner.MakeNode(services_);
  } catch (const DefinitionError&) {
    throw;
  } catch (const std::exception& error) {
    throw DefinitionError(node.position,
                          "node '" + node.name + "' (" + node.contract.type + ") cannot be made: " + error.what());
  }
}

RunState::RunEdge RunState::MakeEdge(const CheckedEdge& edge, const std::string& name,
                                     const std::shared_ptr<NodeRunner>& from,
                                     const std::shared_ptr<NodeRunner>& to) const {
  RunEdge made{std::make_shared<Edge>(name, edge.limits, *from, *to), from, to};
  made.edge->ForceFull(options_.forced_full);
  if (to->node().join.max_wait) made.edge->StampArrivals(clock_);
  from->AddOutput(edge.from_port, *made.edge);
  return made;
}

void RunState::Start() {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(started_, true)) throw std::logic_error("Graph::Start was called twice");
  }
  start_ = clock_.Now();
  Enter();  // so that the graph cannot look idle before every node is on its way
  for (const auto& runner : runners_) runner->Notify();
  Leave();
}

RunResult RunState::Wait() {
  std::unique_lock lock(mutex_);
  if (!started_) throw std::logic_error("Graph::Wait was called before Start");
  done_changed_.wait(lock, [this] { return done_; });
  RunResult result = result_;
  result.num_lost_items = num_lost_items_.load();
  for (const auto& runner : runners_) result.nodes.push_back(runner->counts());
  for (const RunEdge& edge : edges_) result.edges.push_back(CountsOf(*edge.edge));
  for (const auto& [name, counts] : removed_nodes_) result.removed_nodes.push_back(counts);
  for (const auto& [name, counts] : removed_edges_) result.removed_edges.push_back(counts);
  return result;
}

bool RunState::done() const {
  std::lock_guard lock(mutex_);
  return done_;
}

void RunState::Cancel() {
  std::lock_guard lock(mutex_);
  if (stopping_.load() || num_closed_ == runners_.size()) return;
  if (result_.status != RunStatus::kFailed) result_.status = RunStatus::kCancelled;
  Stop();
}

void RunState::Drain(Duration deadline) {
  std::lock_guard lock(mutex_);
  if (!stopping_.load() && num_closed_ < runners_.size()) BeginDrain(deadline);
}

void RunState::BeginDrain(Duration deadline) {
  if (draining_.exchange(true)) return;
  try {
    clock_.Arm(drain_deadline_, clock_.Now() + deadline);
  } catch (const std::exception&) {
    // Nothing would end a drain that takes too long.
    if (result_.status != RunStatus::kFailed) result_.status = RunStatus::kCancelled;
    return Stop();
  }
  if (!started_) return;
  for (const auto& runner : runners_) runner->Notify();
}

void RunState::OnDrained() {
  std::lock_guard lock(mutex_);
  if (result_.status == RunStatus::kFinished) result_.status = RunStatus::kDrained;
}

void RunState::DropNodes() {
  for (const auto& runner : runners_) runner->DropNode();
}

void RunState::Enter() {
  num_activations_.fetch_add(1);
  num_active_.fetch_add(1);
}

void RunState::Leave() {
  if (num_active_.fetch_sub(1) == 1) CheckIdle();
}

void RunState::CheckIdle() {
  std::unique_lock lock(mutex_);
  const uint64_t num_activations = num_activations_.load();
  if (num_active_.load() != 0) return;
  if (num_closed_ == runners_.size()) {
    if (!std::exchange(done_, true)) DisarmDeadlines();
    done_changed_.notify_all();
    return;
  }
  if (num_wakers_.load() != 0) return;
  if (num_timers_.load() != 0) {
    clock_.OnIdle();
    return;
  }
  // Whoever became active since has its own look when it is done.
  if (num_active_.load() != 0 || num_activations_.load() != num_activations) return;
  lock.unlock();
  Relieve();
}

void RunState::DisarmDeadlines() {
  if (draining_.load()) clock_.Disarm(drain_deadline_);
  for (const auto& [name, part] : parts_) {
    if (part->deadline_is_due) clock_.Disarm(*part->deadline);
  }
}

void RunState::Relieve() {
  std::vector<RunEdge> full;
  {
    std::lock_guard lock(mutex_);
    if (stopping_.load()) return;
    full = FullLiveEdges();
    if (full.empty() && num_open_ends_.load() != 0) return;
    if (full.empty()) return FailAsStalled();
    Enter();  // until the producer is on its way
  }
  // Without the lock: what goes with the packet may call the graph.
  const bool is_any = std::any_of(full.begin(), full.end(),
                                  [](const RunEdge& edge) { return edge.edge->DropOldest(DropReason::kStall); });
  if (!is_any) {
    std::lock_guard lock(mutex_);
    FailAsStalled();
  }
  Leave();
}

std::map<const NodeRunner*, size_t> RunState::HopsFromLive() const {
  std::map<const NodeRunner*, size_t> hops;
  std::deque<const NodeRunner*> next;
  for (const auto& runner : runners_) {
    if (runner->node().contract.source != SourceKind::kLive) continue;
    hops[runner.get()] = 0;
    next.push_back(runner.get());
  }
  for (; !next.empty(); next.pop_front()) {
    for (const RunEdge& edge : edges_) {
      const bool is_next = edge.from.get() == next.front();
      if (is_next && hops.emplace(edge.to.get(), hops[edge.from.get()] + 1).second) next.push_back(edge.to.get());
    }
  }
  return hops;
}

std::vector<RunState::RunEdge> RunState::FullLiveEdges() const {
  const std::map<const NodeRunner*, size_t> hops = HopsFromLive();
  std::vector<std::pair<size_t, RunEdge>> found;
  for (const RunEdge& edge : edges_) {
    const auto from = hops.find(edge.from.get());
    if (from != hops.end() && edge.from->FullEdge() == edge.edge.get()) found.emplace_back(from->second, edge);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<RunEdge> edges;
  for (const auto& [num_hops, edge] : found) edges.push_back(edge);
  return edges;
}

void RunState::FailAsStalled() {
  RunError error;
  error.position = definition_.nodes.front().position;
  error.reason = DescribeStall();
  error.message = definition_.name + ": " + error.reason;
  Fail(std::move(error));
}

std::string RunState::DescribeStall() const {
  std::string text = "the graph stands still: nothing can run and nobody will wake it";
  for (const auto& runner : runners_) {
    const std::string wait = runner->DescribeWait();
    if (!wait.empty()) text += "; " + wait;
  }
  return text;
}

void RunState::OnNodeFailure(const CheckedNode& node, std::exception_ptr cause, const std::string& times) {
  RunError error = ErrorOf(node, WhatOf(cause), times);
  error.cause = std::move(cause);
  std::lock_guard lock(mutex_);
  const auto failed =
      std::find_if(runners_.begin(), runners_.end(), [&](const auto& each) { return &each->node() == &node; });
  const bool drains =
      failed != runners_.end() && (*failed)->runs() && !cut_points_ && options_.drain_after_failure > Duration();
  if (!drains) return Fail(std::move(error));
  if (stopping_.load()) return;
  RecordFault(std::move(error));
  (*failed)->EndAsFailed();
  BeginDrain(options_.drain_after_failure);
}

void RunState::OnAbandoned(const CheckedNode& node) {
  std::lock_guard lock(mutex_);
  if (result_.status == RunStatus::kFailed) return;
  result_.status = RunStatus::kFailed;
  result_.error = ErrorOf(node, "it still waits in its Process " + DurationText(options_.abandon_after) +
                                    " after the run was stopped; its thread is left behind");
}

void RunState::OnAbandoned(const CheckedNode& node, const ItemRef& item) {
  RecordFailedItem(item, {ErrorKind::kNode, item ? item->label() : "",
                          "it still waits in its Process " + DurationText(options_.abandon_after) + " after '" +
                              node.instance + "' was cut off; its thread is left behind",
                          node.name});
}

void RunState::SetUnready(const CheckedNode& node, std::string reason) {
  Note(RunNote::Kind::kWait, node, reason);
  std::lock_guard lock(mutex_);
  unready_[node.name] = "node '" + node.name + "' (" + node.contract.type + ") " + std::move(reason);
}

void RunState::SetReady(const CheckedNode& node) {
  {
    std::lock_guard lock(mutex_);
    if (unready_.erase(node.name) == 0) return;
  }
  Note(RunNote::Kind::kRecover, node, "works again");
}

template <class Sink, class What>
void RunState::Tell(const Sink& sink, const What& what) {
  try {
    const std::lock_guard lock(sinks_mutex_);
    sink(what);
  } catch (...) {
    RunError error;
    error.position = definition_.nodes.front().position;
    error.cause = std::current_exception();
    error.reason = "a log or error sink of the program failed: " + WhatOf(error.cause);
    error.message = definition_.name + ": " + error.reason;
    const std::lock_guard lock(mutex_);
    Fail(std::move(error));
  }
}

void RunState::Note(RunNote::Kind kind, const CheckedNode& node, const std::string& text) {
  if (!options_.log) return;
  Tell(options_.log,
       RunNote{kind, node.name, node.position, "node '" + node.name + "' (" + node.contract.type + ") " + text});
}

void RunState::NoteDrop(const CheckedNode& node, const std::string& edge, const char* reason) {
  if (!options_.log) return;
  {
    const std::lock_guard lock(sinks_mutex_);
    if (!noted_drops_.insert(edge + ": " + reason).second) return;
  }
  Tell(options_.log, RunNote{RunNote::Kind::kDrop, node.name, node.position,
                             "edge " + edge + " begins to drop packets (" + reason + ")"});
}

Readiness RunState::readiness() const {
  std::lock_guard lock(mutex_);
  if (!started_) return {false, "not started"};
  if (done_) return {false, "finished"};
  if (stopping_.load() || result_.status == RunStatus::kFailed) return {false, "stopping"};
  if (draining_.load()) return {false, "draining"};
  if (!runs_.load()) return {false, "opening"};
  if (!unready_.empty()) return {false, unready_.begin()->second};
  return {true, ""};
}

void RunState::Fail(RunError error) {
  if (stopping_.load()) return;
  RecordFault(std::move(error));
  Stop();
}

void RunState::RecordFault(RunError error) {
  if (result_.status == RunStatus::kFailed) return;
  result_.status = RunStatus::kFailed;
  result_.error = std::move(error);
}

void RunState::Stop() {
  stopping_.store(true);
  for (const auto& runner : runners_) runner->Notify();
}

void RunState::RecordFailedItem(const ItemRef& item, const ErrorPayload& error) {
  if (item && !item->MarkFailed()) return;
  if (cut_points_) cut_points_->OnFailedItem(item ? item->id() : 0, error);
  {
    std::lock_guard lock(mutex_);
    ++result_.num_failed_items;
    if (result_.failed_items.size() < kMaxFailedItemsListed) result_.failed_items.push_back(error);
  }
  if (options_.errors) Tell(options_.errors, error);
}

void RunState::CountLost(const ItemRef& item) {
  if (!item || item->MarkFailed()) num_lost_items_.fetch_add(1);
}

void RunState::EndChunk(std::string key, Time end, int64_t epoch) {
  if (!cut_points_ || !cut_points_->EndChunk(std::move(key), end, epoch, next_item_id_.load())) return;
  // Some may have seen the end of the chunk already, and be waiting.
  for (size_t i = 0; i < runners_.size(); ++i) {
    if (cut_points_->cutter(i)) runners_[i]->Notify();
  }
}

}  // namespace percept::graph
