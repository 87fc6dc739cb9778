// SPDX-License-Identifier: Apache-2.0
#include "graph/run/run_state.h"

#include <cstdint>
#include <stdexcept>
#include <utility>

#include "graph/run/counts.h"
#include "graph/run/node_runner.h"
#include "graph/run/steady_clock.h"

namespace percept::graph {

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

thread_local const RunState* RunState::AtWork::on_this_thread = nullptr;

RunResult RunState::Wait() {
  if (AtWork::IsFor(*this)) {
    throw std::logic_error(
        "Graph::Wait or ~Graph was called by what the graph itself called, as a sink's function: it would wait for "
        "itself; let another thread wait, and call Cancel or Drain here");
  }
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
  if (num_active_.load() != 0 || !started_) return;
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

void RunState::Stop() {
  stopping_.store(true);
  if (!started_) return;  // Start lets each close
  for (const auto& runner : runners_) runner->Notify();
}

void RunState::EndChunk(std::string key, Time end, int64_t epoch) {
  if (!cut_points_ || !cut_points_->EndChunk(std::move(key), end, epoch, next_item_id_.load())) return;
  // Some may have seen the end of the chunk already, and be waiting.
  for (size_t i = 0; i < runners_.size(); ++i) {
    if (cut_points_->cutter(i)) runners_[i]->Notify();
  }
}

}  // namespace percept::graph
