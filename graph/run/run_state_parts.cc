// SPDX-License-Identifier: Apache-2.0
// How instances of templates come into a run and go out of it.
#include <algorithm>
#include <utility>

#include "graph/node/nearest.h"
#include "graph/run/counts.h"
#include "graph/run/node_runner.h"
#include "graph/run/run_state.h"

namespace percept::graph {
namespace {

using FeedState = Part::Feed::State;

[[noreturn]] void Refuse(const std::string& name, const char* what, const std::string& reason) {
  throw GraphChangeError("'" + name + "' cannot be " + what + ": " + reason);
}

std::string Label(const CheckedNode& node) { return "node '" + node.name + "' (" + node.contract.type + ")"; }

Part::Feed& FeedOf(Part& part, const Edge& edge) {
  return *std::find_if(part.feeds.begin(), part.feeds.end(),
                       [&](const Part::Feed& each) { return each.edge == &edge; });
}

// The latest time that has been heard of on an edge.
Time Heard(const Edge& edge) {
  const Time bound = edge.Look().bound;
  return bound == Time::Max() ? edge.BoundBeforeEnd() : bound;
}

}  // namespace

class RunState::Activity {
 public:
  explicit Activity(RunState& run) : run_(run) { run_.Enter(); }
  ~Activity() { run_.Leave(); }
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

 private:
  RunState& run_;
};

void RunState::Add(const std::string& template_name, const std::string& name, const Arguments& arguments) {
  {
    const std::lock_guard lock(mutex_);
    RequireAddable(name);
    upcoming_.insert(name);
  }
  const Activity active(*this);
  Changed made;
  try {
    const GraphPart checked = definition_.CheckPart(template_name, name, arguments);
    made = MakePart(template_name, name, checked);
    const std::lock_guard lock(mutex_);
    upcoming_.erase(name);
    RequireAddable(name);
    RequireRoom(made);
    Expect(*made.part);
    Insert(made);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    upcoming_.erase(name);
    throw;
  }
}

void RunState::RequireAddable(const std::string& name) const {
  if (!started_) Refuse(name, "added", "the graph was not started");
  if (options_.commits) Refuse(name, "added", "the run is committed chunk by chunk, which fixes its nodes");
  if (done_ || num_closed_ == runners_.size()) Refuse(name, "added", "the run is over");
  if (stopping_.load()) Refuse(name, "added", "the graph is being stopped");
  if (draining_.load()) Refuse(name, "added", "the graph is draining");
  const auto part = parts_.find(name);
  if (part != parts_.end() && part->second->is_leaving) {
    Refuse(name, "added", "an instance of this name is still being removed");
  }
  if (part != parts_.end() || upcoming_.count(name)) Refuse(name, "added", "there is an instance of this name");
}

RunState::Changed RunState::MakePart(const std::string& template_name, const std::string& name,
                                     const GraphPart& checked) {
  Changed made;
  made.part = std::make_shared<Part>(name, template_name, checked.nodes);
  for (const CheckedNode& node : made.part->nodes) MakeRunner(node, made.part, made.runners);
  const size_t num_before = definition_.nodes.size();
  for (size_t i = 0; i < checked.edges.size(); ++i) {
    const CheckedEdge& edge = checked.edges[i];
    const std::shared_ptr<NodeRunner>& from = made.runners[edge.from_node - num_before];
    const bool is_feed = edge.to_node < num_before;
    const std::shared_ptr<NodeRunner> to =
        is_feed ? FindRunner(definition_.nodes[edge.to_node].name) : made.runners[edge.to_node - num_before];
    const std::string port = is_feed ? checked.fed_ports[i] : to->node().input_ports[edge.to_port];
    const std::string label = from->node().name + "." + from->node().contract.outputs[edge.from_port].name + " -> " +
                              to->node().name + "." + port;
    made.edges.push_back(MakeEdge(edge, label, from, to));
    Edge& connected = *made.edges.back().edge;
    if (is_feed) {
      made.part->feeds.push_back({to.get(), &connected, port, FeedState::kExpected});
    } else {
      to->AddInput(connected);
    }
  }
  for (const auto& runner : made.runners) MakeNode(*runner);
  return made;
}

std::shared_ptr<NodeRunner> RunState::FindRunner(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return *std::find_if(runners_.begin(), runners_.end(), [&](const auto& each) { return each->node().name == name; });
}

void RunState::RequireRoom(const Changed& made) const {
  if (!definition_.limits.host_bytes) return;
  // Doubles, as a sum of stated bounds may be any number.
  const auto bytes_of = [](const auto& runners, const auto& edges) {
    double bytes = 0;
    for (const auto& runner : runners) bytes += static_cast<double>(runner->node().contract.state.bytes);
    for (const auto& edge : edges) bytes += static_cast<double>(edge.edge->limits().bytes);
    return bytes;
  };
  const double used = bytes_of(runners_, edges_), more = bytes_of(made.runners, made.edges);
  if (used + more <= static_cast<double>(*definition_.limits.host_bytes)) return;
  throw DefinitionError(definition_.limits.position,
                        "host_bytes is " + std::to_string(*definition_.limits.host_bytes) + " bytes, of which " +
                            std::to_string(static_cast<int64_t>(used)) + " are taken: '" + made.part->name +
                            "' needs " + std::to_string(static_cast<int64_t>(more)) + " more");
}

void RunState::Expect(Part& part) {
  for (size_t i = 0; i < part.feeds.size(); ++i) {
    NodeRunner& to = *part.feeds[i].to;
    if (to.growing()->Expect()) continue;
    for (; i > 0; --i) GiveUp(part.feeds[i - 1]);
    Refuse(part.name, "added",
           Label(to.node()) + " has ended, as all its inputs had (GraphOptions::keep_open keeps it)");
  }
}

void RunState::GiveUp(Part::Feed& feed) {
  feed.state = FeedState::kDetached;
  feed.to->growing()->GiveUp();
  feed.to->Notify();
}

void RunState::Insert(Changed& made) {
  parts_[made.part->name] = made.part;
  runners_.insert(runners_.end(), made.runners.begin(), made.runners.end());
  edges_.insert(edges_.end(), made.edges.begin(), made.edges.end());
  for (const auto& runner : made.runners) runner->Notify();
}

void RunState::OnOpened(Part* part) {
  const std::lock_guard lock(mutex_);
  if (!part || !part->is_added()) {
    if (++num_open_ < definition_.nodes.size()) return;
    runs_.store(true);
    for (const auto& runner : runners_) runner->Notify();
    return;
  }
  if (++part->num_open < part->num_nodes) return;
  for (Part::Feed& feed : part->feeds) {
    feed.state = FeedState::kGiven;
    if (feed.to->growing()->Attach({part, feed.edge, feed.port})) {
      feed.to->Notify();
    } else {
      feed.edge->Close();
      feed.state = FeedState::kDetached;
    }
  }
  BeginIfAttached(*part);
}

void RunState::OnAttached(Part& part, const Edge& edge, Time position) {
  const std::lock_guard lock(mutex_);
  Part::Feed& feed = FeedOf(part, edge);
  feed.state = FeedState::kAttached;
  part.start = std::max(part.start, position);
  if (part.is_leaving) Detach(part, feed);
  BeginIfAttached(part);
}

void RunState::BeginIfAttached(Part& part) {
  const auto is_awaited = [](const Part::Feed& feed) { return feed.state == FeedState::kGiven; };
  if (std::any_of(part.feeds.begin(), part.feeds.end(), is_awaited)) return;
  part.start = std::max({part.start, PositionBehind(part.feeds), Time::Nanoseconds(0)});
  const auto is_live = [](const CheckedNode& node) { return node.contract.source == SourceKind::kLive; };
  // Live sources put what they see where the run clock is.
  if (std::any_of(part.nodes.begin(), part.nodes.end(), is_live)) {
    part.start = std::max(part.start, Time::Nanoseconds(Now().nanoseconds()));
  }
  part.runs.store(true);
  for (const auto& runner : runners_) {
    if (runner->part() == &part) runner->Notify();
  }
}

Time RunState::PositionBehind(const std::vector<Part::Feed>& feeds) const {
  std::vector<const NodeRunner*> behind;
  const auto add = [&](const NodeRunner* runner) {
    if (std::find(behind.begin(), behind.end(), runner) == behind.end()) behind.push_back(runner);
  };
  for (const Part::Feed& feed : feeds) add(feed.to);
  Time position = Time::Min();
  for (size_t i = 0; i < behind.size(); ++i) {
    for (const RunEdge& edge : edges_) {
      if (edge.to.get() == behind[i]) position = std::max(position, Heard(*edge.edge));
      if (edge.from.get() == behind[i]) add(edge.to.get());
    }
  }
  return position;
}

void RunState::Remove(const std::string& name, Duration deadline) {
  Changed gone;
  {
    const std::lock_guard lock(mutex_);
    RequireRemovable(name);
    Part& part = *parts_.at(name);
    if (part.is_leaving || done_ || stopping_.load()) return;
    Enter();
    part.is_leaving = true;
    part.deadline.emplace(*this, [this, name] { CutOff(name); });
    part.deadline_is_due = true;
    clock_.Arm(*part.deadline, clock_.Now() + deadline);
    for (const auto& runner : runners_) {
      if (runner->part() == &part) runner->EndSource();
    }
    for (Part::Feed& feed : part.feeds) {
      if (feed.state == FeedState::kAttached) Detach(part, feed);
    }
    gone = TakeIfDone(part);
  }
  gone = {};
  Leave();
}

void RunState::RequireRemovable(const std::string& name) const {
  if (!started_) Refuse(name, "removed", "the graph was not started");
  if (options_.commits) Refuse(name, "removed", "the run is committed chunk by chunk, which fixes its nodes");
  const auto found = parts_.find(name);
  if (found == parts_.end()) {
    for (const auto& runner : runners_) {
      if (runner->node().name == name) Refuse(name, "removed", "it is a node, not an instance of a template");
    }
    std::vector<std::string> names;
    for (const auto& [each, part] : parts_) names.push_back(each);
    Refuse(name, "removed", "there is no instance of a template of this name" + NearestNames(name, names));
  }
  const Part& part = *found->second;
  for (const RunEdge& edge : edges_) {
    const bool is_from = edge.from->part() == &part, is_to = edge.to->part() == &part;
    if (is_from == is_to) continue;
    const bool can_go = is_from && edge.to->growing() && edge.to->node().join.kind == JoinKind::kSettled;
    if (can_go) continue;
    Refuse(name, "removed", Label(edge.to->node()) + " reads node '" + edge.from->node().name + "'");
  }
}

void RunState::Detach(Part& part, Part::Feed& feed) {
  if (feed.to->growing()->Detach({&part, feed.edge})) {
    feed.to->Notify();
  } else {
    feed.state = FeedState::kDetached;
  }
}

void RunState::OnDetached(Part& part, const Edge& edge) {
  Changed gone;  // before the lock: destroyed after it
  const std::lock_guard lock(mutex_);
  FeedOf(part, edge).state = FeedState::kDetached;
  gone = TakeIfDone(part);
}

void RunState::OnClosed(Part* part) {
  Changed gone;
  {
    const std::lock_guard lock(mutex_);
    ++num_closed_;
    if (part && ++part->num_closed == part->num_nodes) {
      for (Part::Feed& feed : part->feeds) {
        if (feed.state == FeedState::kExpected) GiveUp(feed);
      }
      gone = TakeIfDone(*part);
    }
  }
  gone = {};  // nodes use what the program lent: they go before the run can be over
  Leave();
}

void RunState::CutOff(const std::string& name) {
  Changed gone;
  const std::lock_guard lock(mutex_);
  Part& part = *parts_.at(name);
  part.deadline_is_due = false;
  for (const auto& runner : runners_) {
    if (runner->part() == &part) runner->CutOff();
  }
  gone = TakeIfDone(part);
}

RunState::Changed RunState::TakeIfDone(Part& part) {
  const auto is_detached = [](const Part::Feed& feed) { return feed.state == FeedState::kDetached; };
  const bool is_done = part.is_leaving && part.num_closed == part.num_nodes &&
                       std::all_of(part.feeds.begin(), part.feeds.end(), is_detached);
  if (!is_done) return {};
  // One that has fired is about to come here.
  if (part.deadline_is_due && !clock_.Disarm(*part.deadline)) return {};
  Changed gone;
  for (const auto& runner : runners_) {
    if (runner->part() == &part) gone.runners.push_back(runner);
  }
  for (const RunEdge& edge : edges_) {
    if (edge.from->part() == &part) gone.edges.push_back(edge);
  }
  std::erase_if(runners_, [&](const auto& runner) { return runner->part() == &part; });
  std::erase_if(edges_, [&](const RunEdge& edge) { return edge.from->part() == &part; });
  num_closed_ -= gone.runners.size();
  for (const auto& runner : gone.runners) unready_.erase(runner->node().name);
  gone.part = parts_.extract(part.name).mapped();
  SumUp(gone);
  return gone;
}

void RunState::SumUp(const Changed& gone) {
  const Part& part = *gone.part;
  const auto in_template = [&](const CheckedNode& node) {
    return part.template_name + node.name.substr(part.name.size());
  };
  for (const auto& runner : gone.runners) {
    NodeCounts counts = runner->counts();
    counts.node = in_template(runner->node());
    AddCounts(counts, removed_nodes_[counts.node]);
  }
  for (const RunEdge& edge : gone.edges) {
    EdgeCounts counts = CountsOf(*edge.edge);
    const size_t middle = counts.edge.find(" -> ");
    const std::string from = counts.edge.substr(edge.from->node().name.size(), middle - edge.from->node().name.size());
    const std::string to = counts.edge.substr(middle + 4 + edge.to->node().name.size());
    const bool is_feed = edge.to->part() != &part;
    counts.edge = in_template(edge.from->node()) + from + " -> " +
                  (is_feed ? edge.to->node().name + "." + part.template_name : in_template(edge.to->node()) + to);
    AddCounts(counts, removed_edges_[counts.edge]);
  }
}

std::vector<std::string> RunState::instances() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, part] : parts_) names.push_back(name);
  return names;
}

}  // namespace percept::graph
