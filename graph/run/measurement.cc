// SPDX-License-Identifier: Apache-2.0
#include "graph/run/measurement.h"

#include <algorithm>
#include <deque>
#include <limits>

namespace percept::graph {
namespace {

constexpr size_t kMaxSamples = 65536;
// More sets than a node has at once, and than sources have items on their way.
constexpr size_t kMaxVisits = 256;
constexpr size_t kMaxItems = 65536;
constexpr double kAboutAsBusy = 0.05;

}  // namespace

// All of them, or every second, fourth, ... once there are many.
class Measurement::Samples {
 public:
  void Add(Duration sample) {
    total_ = total_ + sample;
    max_ = std::max(max_, sample);
    if (num_++ % stride_ != 0) return;
    kept_.push_back(sample);
    if (kept_.size() < kMaxSamples) return;
    for (size_t i = 0; i < kept_.size() / 2; ++i) kept_[i] = kept_[2 * i];
    kept_.resize(kept_.size() / 2);
    stride_ *= 2;
  }

  TimeSpread Spread() const {
    std::vector<Duration> sorted = kept_;
    std::sort(sorted.begin(), sorted.end());
    const auto at = [&](size_t percent) {
      return sorted.empty() ? Duration() : sorted[(sorted.size() * percent + 99) / 100 - 1];
    };
    return {num_, total_, at(50), at(95), max_};
  }

 private:
  std::vector<Duration> kept_;
  uint64_t stride_ = 1;
  uint64_t num_ = 0;
  Duration total_, max_;
};

// Of one node: its sets in the order in which it was first called with them.
class Measurement::OfNode {
 public:
  explicit OfNode(const CheckedNode& node)
      : is_source_(node.contract.source != SourceKind::kNone), num_instances_(static_cast<double>(node.parallel)) {}

  bool is_source() const { return is_source_; }
  void OnReceived() { has_new_set_ = true; }

  void OnBegin(Time time, Duration now) {
    Visit* visit = nullptr;
    if (time == Time::Unset()) {
      visit = is_source_ || visits_.empty() ? nullptr : &visits_.back();
    } else if (!std::exchange(has_new_set_, false)) {
      visit = Find(time);
    }
    if (!visit) visit = &visits_.emplace_back(Visit{time, now, now, {}, {}});
    visit->call_began = now;
    if (visits_.size() > kMaxVisits) {
      Count(visits_.front());
      visits_.pop_front();
    }
  }

  void OnEnd(Time time, Duration now) {
    Visit* visit = time == Time::Unset() && !visits_.empty() ? &visits_.back() : Find(time);
    if (!visit || !visit->call_began) return;
    visit->process = visit->process + (now - *visit->call_began);
    visit->call_began.reset();
    visit->end = now;
  }

  void OnSent(Time time, Duration now) {
    if (is_source_) return;
    if (Visit* visit = Find(time)) visit->end = now;
  }

  MeasuredRun::OfNode Result(Duration duration) const {
    OfNode whole = *this;
    for (const Visit& visit : visits_) whole.Count(visit);
    const TimeSpread process = whole.process_.Spread();
    const Duration at_work = is_source_ || num_instances_ > 1 ? process.total : whole.occupied_;
    const double busy = duration > Duration() ? at_work.seconds() / num_instances_ / duration.seconds() : 0;
    return {process, whole.through_.Spread(), busy};
  }

 private:
  struct Visit {
    Time time;
    Duration begin, end;
    Duration process;
    std::optional<Duration> call_began;
  };

  Visit* Find(Time time) {
    const auto found = std::find_if(visits_.rbegin(), visits_.rend(), [&](const Visit& v) { return v.time == time; });
    return found == visits_.rend() ? nullptr : &*found;
  }

  // Visits come in the order of their begins.
  void Count(const Visit& visit) {
    process_.Add(visit.process);
    through_.Add(visit.end - visit.begin);
    const Duration from = std::max(visit.begin, covered_until_);
    if (visit.end <= from) return;
    occupied_ = occupied_ + (visit.end - from);
    covered_until_ = visit.end;
  }

  bool is_source_;
  double num_instances_;
  bool has_new_set_ = false;
  std::deque<Visit> visits_;
  Samples process_, through_;
  Duration occupied_;
  Duration covered_until_ = Duration::Nanoseconds(std::numeric_limits<int64_t>::min());
};

// What lies on an edge. An event of the consumer's thread may come before that of the producer's about the same packet.
struct Measurement::OfEdge {
  struct Waiting {
    uint64_t trace_id;
    Time time;
    Duration since;
  };

  // False where the packet has been taken already.
  bool Put(const TraceEvent& event, Duration now) {
    if (Remove(early, event)) return false;
    waiting.push_back({event.trace_id, event.media_time, now});
    return true;
  }

  // How long it has lain there.
  Duration Take(const TraceEvent& event, Duration now) {
    if (const std::optional<Duration> since = Remove(waiting, event)) return now - *since;
    early.push_back({event.trace_id, event.media_time, now});
    if (early.size() > kMaxVisits) early.pop_front();
    return {};
  }

  static std::optional<Duration> Remove(std::deque<Waiting>& packets, const TraceEvent& event) {
    const auto found = std::find_if(packets.begin(), packets.end(), [&](const Waiting& packet) {
      return packet.trace_id == event.trace_id && packet.time == event.media_time;
    });
    if (found == packets.end()) return std::nullopt;
    const Duration since = found->since;
    packets.erase(found);
    return since;
  }

  std::deque<Waiting> waiting, early;
  Samples waits;
};

Measurement::Measurement(const CheckedGraph& graph, const Clock& clock, Observer* next)
    : graph_(graph), clock_(clock), next_(next), edges_(graph.edges.size()) {
  for (const CheckedNode& node : graph.nodes) {
    node_idx_[node.name] = nodes_.size();
    nodes_.emplace_back(node);
  }
  for (size_t i = 0; i < graph.edges.size(); ++i) edge_idx_[graph.EdgeName(graph.edges[i])] = i;
}

Measurement::~Measurement() = default;

void Measurement::OnEvent(const TraceEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    const Duration now = clock_.Now();
    const auto found = node_idx_.find(event.node);
    if (found != node_idx_.end()) OnEventOf(found->second, event, now);
  }
  if (next_) next_->OnEvent(event);
}

void Measurement::OnEventOf(size_t node, const TraceEvent& event, Duration now) {
  if (!begin_) begin_ = now;
  end_ = now;
  switch (event.kind) {
    case TraceKind::kRunBegin:
      nodes_[node].OnBegin(event.media_time, now);
      break;
    case TraceKind::kRunEnd:
      nodes_[node].OnEnd(event.media_time, now);
      break;
    case TraceKind::kSent:
      OnSent(node, event, now);
      break;
    case TraceKind::kReceived:
      OnReceived(node, event, now);
      break;
    case TraceKind::kDropped:
      if (const std::optional<size_t> edge = FindEdge(event)) edges_[*edge].Take(event, now);
      break;
  }
}

std::optional<size_t> Measurement::FindEdge(const TraceEvent& event) const {
  const auto found = edge_idx_.find(event.edge);
  return found == edge_idx_.end() ? std::nullopt : std::optional(found->second);
}

void Measurement::OnSent(size_t node, const TraceEvent& event, Duration now) {
  const std::optional<size_t> edge = FindEdge(event);
  const bool is_taken = edge && !edges_[*edge].Put(event, now);
  nodes_[node].OnSent(event.media_time, now);
  if (!nodes_[node].is_source() || event.trace_id == 0) return;
  if (items_.try_emplace(event.trace_id, Item{node, now}).second) ++num_items_;
  if (items_.size() > kMaxItems) items_.erase(items_.begin());
  if (is_taken) AddWay(graph_.edges[*edge].to_node, event, now);
}

void Measurement::OnReceived(size_t node, const TraceEvent& event, Duration now) {
  if (const std::optional<size_t> edge = FindEdge(event)) edges_[*edge].waits.Add(edges_[*edge].Take(event, now));
  nodes_[node].OnReceived();
  if (!event.is_error) AddWay(node, event, now);
}

void Measurement::AddWay(size_t node, const TraceEvent& event, Duration now) {
  const auto item = items_.find(event.trace_id);
  if (graph_.nodes[node].depth > 0 || item == items_.end()) return;
  ways_[{item->second.source, node}].Add(now - item->second.sent_at);
}

MeasuredRun Measurement::Result() const {
  const std::lock_guard lock(mutex_);
  MeasuredRun run;
  run.num_items = num_items_;
  if (begin_) run.duration = end_ - *begin_;
  for (const OfNode& node : nodes_) run.nodes.push_back(node.Result(run.duration));
  for (const OfEdge& edge : edges_) run.edges.push_back(edge.waits.Spread());
  for (const auto& [ends, samples] : ways_) run.ways.push_back({ends.first, ends.second, samples.Spread()});
  FindLimiting(run);
  return run;
}

void Measurement::FindLimiting(MeasuredRun& run) const {
  double most = 0;
  for (const MeasuredRun::OfNode& node : run.nodes) most = std::max(most, node.busy);
  if (most <= kAboutAsBusy) return;  // what the run waited for was no node
  for (size_t i = 0; i < run.nodes.size(); ++i) {
    if (run.nodes[i].busy < most - kAboutAsBusy) continue;
    if (!run.limiting || graph_.nodes[i].depth <= graph_.nodes[*run.limiting].depth) run.limiting = i;
  }
}

}  // namespace percept::graph
