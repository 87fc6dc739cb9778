// SPDX-License-Identifier: Apache-2.0
#include "graph/run/cut_points.h"

#include <algorithm>
#include <utility>

namespace percept::graph {
namespace {

bool IsSink(const CheckedNode& node) { return node.contract.outputs.empty(); }
bool Commits(const CheckedNode& node) { return node.contract.output == OutputKind::kAppended; }
bool Saves(const CheckedNode& node) { return node.contract.state_kind == StateKind::kSaved; }

}  // namespace

std::string WhyUncut(const CheckedGraph& graph) {
  int num_sources = 0;
  for (const CheckedNode& node : graph.nodes) {
    if (node.contract.source != SourceKind::kNone) ++num_sources;
    if (node.contract.source == SourceKind::kLive) return "source '" + node.name + "' is live";
    const bool keeps =
        node.contract.state.items != 0 || node.contract.state.bytes != 0 || node.contract.state.time != Duration();
    if (node.contract.state_kind == StateKind::kRebuild || (keeps && !Saves(node))) {
      return "node '" + node.name + "' (" + node.contract.type + ") keeps what is not saved";
    }
    if (node.join.kind != JoinKind::kSettled) {
      return "node '" + node.name + "' (" + node.contract.type + ") joins its inputs by '" + ToString(node.join.kind) +
             "': what it keeps is not saved";
    }
  }
  return num_sources == 1 ? "" : "it has " + std::to_string(num_sources) + " sources";
}

Cutter::Cutter(CutPoints& owner, const CheckedNode& node)
    : owner_(owner), name_(node.name), commits_(Commits(node)), saves_(Saves(node)) {}

Cutter::Place Cutter::Look(Node& node) const {
  Place place;
  if (commits_) place.position = node.Commit();
  if (saves_) place.state = node.SaveState();
  return place;
}

void Cutter::Cut(Node& node, Time passed, Time earliest_pending, bool must_go_on) {
  if (next() > passed) return;
  const Time done = std::min(passed, earliest_pending);
  if (next() <= done) {
    const Place place = Look(node);
    owner_.Take(*this, done, &place);
  }
  if (must_go_on && next() <= passed) owner_.Take(*this, passed, nullptr);
}

void Cutter::CutLast(Node& node) { owner_.TakeLast(*this, Look(node)); }

CutPoints::CutPoints(const CheckedGraph& graph, CommitSink& sink) : sink_(sink), is_cut_(WhyUncut(graph).empty()) {
  for (const CheckedNode& node : graph.nodes) {
    const bool has_share = node.contract.source == SourceKind::kNone && (IsSink(node) || Commits(node) || Saves(node));
    cutters_.push_back(has_share ? std::make_unique<Cutter>(*this, node) : nullptr);
    num_cutters_ += has_share ? 1 : 0;
    num_sources_ += node.contract.source == SourceKind::kNone ? 0 : 1;
  }
}

bool CutPoints::EndChunk(std::string key, Time end, int64_t epoch, uint64_t next_item_id) {
  if (!is_cut_) return false;
  std::lock_guard lock(mutex_);
  Chunk& chunk = chunks_.emplace_back();
  chunk.commit.key = std::move(key);
  chunk.commit.end = end;
  chunk.commit.epoch = epoch;
  chunk.next_item_id = next_item_id;
  chunk.num_missing = num_cutters_ - num_ended_;
  for (const auto& cutter : cutters_) {
    if (!cutter) continue;
    if (cutter->has_ended_) {
      Put(*cutter, cutter->last_, chunk);
    } else {
      Advance(*cutter);
    }
  }
  HandOver();
  return true;
}

void CutPoints::OnFailedItem(uint64_t item_id, const ErrorPayload& error) {
  std::lock_guard lock(mutex_);
  failed_.push_back({item_id, error});
}

void CutPoints::Put(const Cutter& cutter, const Cutter::Place& place, Chunk& chunk) {
  if (place.position) chunk.commit.positions[cutter.name_] = *place.position;
  if (place.state) chunk.commit.states[cutter.name_] = *place.state;
}

void CutPoints::Advance(Cutter& cutter) {
  const size_t idx = cutter.num_cut_ - num_handed_over_;
  cutter.next_.store(idx < chunks_.size() ? chunks_[idx].commit.end : Time::Max(), std::memory_order_release);
}

void CutPoints::Take(Cutter& cutter, Time passed, const Cutter::Place* place) {
  std::lock_guard lock(mutex_);
  for (size_t idx = cutter.num_cut_ - num_handed_over_; idx < chunks_.size(); ++idx) {
    Chunk& chunk = chunks_[idx];
    if (chunk.commit.end > passed) break;
    if (place) Put(cutter, *place, chunk);
    chunk.is_exact = chunk.is_exact && place != nullptr;
    --chunk.num_missing;
    ++cutter.num_cut_;
  }
  Advance(cutter);
  HandOver();
}

void CutPoints::TakeLast(Cutter& cutter, Cutter::Place place) {
  std::lock_guard lock(mutex_);
  for (size_t idx = cutter.num_cut_ - num_handed_over_; idx < chunks_.size(); ++idx) {
    Put(cutter, place, chunks_[idx]);
    --chunks_[idx].num_missing;
  }
  cutter.next_.store(Time::Max(), std::memory_order_release);
  cutter.last_ = std::move(place);
  cutter.has_ended_ = true;
  ++num_ended_;
  HandOver();
  HandOverLast();
}

void CutPoints::OnSourceEnd() {
  std::lock_guard lock(mutex_);
  ++num_sources_ended_;
  HandOverLast();
}

void CutPoints::HandOverLast() {
  if (num_ended_ != num_cutters_ || num_sources_ended_ != num_sources_) return;
  Chunk last;
  last.commit.end = Time::Max();
  last.commit.is_last = true;
  last.next_item_id = UINT64_MAX;
  for (const auto& each : cutters_) {
    if (each) Put(*each, each->last_, last);
  }
  HandOver(last);
}

void CutPoints::HandOver() {
  while (!chunks_.empty() && chunks_.front().num_missing == 0) {
    Chunk chunk = std::move(chunks_.front());
    chunks_.pop_front();
    ++num_handed_over_;
    if (chunk.is_exact) HandOver(chunk);
  }
}

void CutPoints::HandOver(Chunk& chunk) {
  if (sink_has_failed_) return;
  const auto later = std::stable_partition(failed_.begin(), failed_.end(),
                                           [&](const Failed& failed) { return failed.item_id < chunk.next_item_id; });
  for (auto failed = failed_.begin(); failed != later; ++failed) {
    chunk.commit.failed_items.push_back(std::move(failed->error));
  }
  failed_.erase(failed_.begin(), later);
  sink_has_failed_ = true;
  sink_.OnChunk(chunk.commit);
  sink_has_failed_ = false;
}

}  // namespace percept::graph
