// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/node/clock.h"
#include "graph/queue/edge.h"
#include "graph/run/cut_points.h"
#include "graph/run/deadline.h"
#include "graph/run/executor.h"
#include "graph/run/graph.h"
#include "graph/run/part.h"
#include "graph/run/run_result.h"

namespace percept::graph {

class NodeRunner;

// What the nodes of one run share: who is active, who holds Wakers, what went wrong, when it is over. Kept alive by the
// Graph and by every run of a node that is under way.
class RunState : public std::enable_shared_from_this<RunState> {
 public:
  RunState(const CheckedGraph& definition, Executor& executor, const Services& services, GraphOptions options);
  ~RunState();

  // Makes nodes and edges.
  void Build();
  void Start();
  // Throws std::logic_error: not started, or called on a thread that is AtWork for this run.
  RunResult Wait();
  void Cancel();
  void Drain(Duration deadline);
  Readiness readiness() const;
  void Add(const std::string& template_name, const std::string& name, const Arguments& arguments);
  void Remove(const std::string& name, Duration deadline);
  std::vector<std::string> instances() const;
  // While it lives, this thread calls nodes of `run`, and through them the program.
  class AtWork {
   public:
    explicit AtWork(const RunState& run) : outer_(std::exchange(on_this_thread, &run)) {}
    ~AtWork() { on_this_thread = outer_; }
    AtWork(const AtWork&) = delete;
    AtWork& operator=(const AtWork&) = delete;
    static bool IsFor(const RunState& run) { return on_this_thread == &run; }

   private:
    static thread_local const RunState* on_this_thread;
    const RunState* const outer_;
  };
  // Every node is closed: Wait would return at once.
  bool done() const;
  // In the order of the definition's edges.
  const Edge& edge(size_t edge_idx) const { return *edges_[edge_idx].edge; }
  // Destroys the nodes; after Wait.
  void DropNodes();

  // For the node runners.
  Executor& executor() const { return executor_; }
  const Services& services() const { return services_; }
  const GraphLimits& limits() const { return definition_.limits; }
  Observer* observer() const { return options_.observer; }
  bool stopping() const { return stopping_.load(); }
  // Something has failed for good; what is under way may still go through.
  bool failed() const { return failed_.load(); }
  // Also after a failure: sources end where they are.
  bool draining() const { return draining_.load(); }
  // The nodes of the file may be called, as all are open.
  const std::atomic<bool>& runs() const { return runs_; }
  bool keeps_open() const { return options_.keep_open && !draining_.load(); }
  int64_t NextEpoch() { return next_epoch_.fetch_add(1); }
  uint64_t NextItemId() { return next_item_id_.fetch_add(1); }
  // A node becomes ready or running; the end of that.
  void Enter();
  void Leave();
  void AddWakers(int64_t delta) { num_wakers_.fetch_add(delta); }
  // Timers that are armed: while there is one, a graph with nothing to do waits.
  void AddTimers(int64_t delta) { num_timers_.fetch_add(delta); }
  // Nodes that only wait for inputs to be added: the same, with no timer to wait for.
  void AddOpenEnds(int64_t delta) { num_open_ends_.fetch_add(delta); }
  Clock& clock() const { return clock_; }
  // The run clock.
  Duration Now() const { return clock_.Now() - start_; }
  Duration start() const { return start_; }
  Duration abandon_after() const { return options_.abandon_after; }
  // `part`: of the node, null where it is of none.
  void OnOpened(Part* part);
  // A source was ended before its input was.
  void OnDrained();
  // A node is closed, and its runner, which may be gone after this, has left its Run. Stands for Leave.
  void OnClosed(Part* part);
  // A node has taken in or let go of an input. `position`: nothing earlier may come from it.
  void OnAttached(Part& part, const Edge& edge, Time position);
  void OnDetached(Part& part, const Edge& edge);
  // An exception that the node's supervisor will not make good: the graph ends its inputs, or stops.
  // `times`: " 4 times within 60s" where it is one failure too many.
  void OnNodeFailure(NodeRunner& failed, std::exception_ptr cause, const std::string& times = "");
  // A source's call that did not come back in time was left alone on its thread.
  void OnAbandoned(const CheckedNode& node);
  // The same while its part is being removed: the run goes on. `item`: that was being read, null where there is none.
  void OnAbandoned(const CheckedNode& node, const ItemRef& item);
  // The node cannot work for a while; that is over.
  void SetUnready(const CheckedNode& node, std::string reason);
  void SetReady(const CheckedNode& node);
  void RecordFailedItem(const ItemRef& item, const ErrorPayload& error, bool is_told = true);
  // Something of the item, null for none, is let go of before its end.
  void CountLost(const ItemRef& item);
  // Tells the program's log: "node 'x' (type) " and `text`.
  void Note(RunNote::Kind kind, const CheckedNode& node, const std::string& text);
  // The same, the first time that the edge drops packets for this reason.
  void NoteDrop(const CheckedNode& node, const std::string& edge, const char* reason);
  // Null where nothing is committed.
  CutPoints* cut_points() { return cut_points_.get(); }
  const std::optional<ResumePoint>& resume() const { return options_.resume; }
  void EndChunk(std::string key, Time end, int64_t epoch);

 private:
  struct RunEdge {
    std::shared_ptr<Edge> edge;
    std::shared_ptr<NodeRunner> from, to;
  };
  // What comes into the run, or was taken out of it to be destroyed without the lock.
  struct Changed {
    std::shared_ptr<Part> part;
    std::vector<std::shared_ptr<NodeRunner>> runners;
    std::vector<RunEdge> edges;
  };
  // Keeps the graph from being idle.
  class Activity;

  void MakeRunner(const CheckedNode& node, const std::shared_ptr<Part>& part,
                  std::vector<std::shared_ptr<NodeRunner>>& runners);
  void MakeNode(NodeRunner& runner) const;
  RunEdge MakeEdge(const CheckedEdge& edge, const std::string& name, const std::shared_ptr<NodeRunner>& from,
                   const std::shared_ptr<NodeRunner>& to) const;
  std::shared_ptr<Part> PartOf(const CheckedNode& node);  // of the file; null where the node is of none
  // In run_state_parts.cc; without the lock.
  Changed MakePart(const std::string& template_name, const std::string& name, const GraphPart& checked);
  std::shared_ptr<NodeRunner> FindRunner(const std::string& name) const;  // a node of the file, of no part
  // With mutex_.
  void RequireAddable(const std::string& name) const;
  void RequireRoom(const Changed& made) const;
  void Expect(Part& part);
  static void GiveUp(Part::Feed& feed);
  void Insert(Changed& made);
  void BeginIfAttached(Part& part);
  // Where the nodes that `feeds` lead to stand.
  Time PositionBehind(const std::vector<Part::Feed>& feeds) const;
  void RequireRemovable(const std::string& name) const;
  static void Detach(Part& part, Part::Feed& feed);
  // The part, if nothing of it is at work any more.
  Changed TakeIfDone(Part& part);
  void SumUp(const Changed& gone);
  // Without the lock: the time for leaving is over.
  void CutOff(const std::string& name);

  void CheckIdle();
  // Calls a sink of the program's; without mutex_.
  template <class Sink, class What>
  void Tell(const Sink& sink, const What& what);
  // Drops a packet that a live source's are stuck behind; the graph fails where there is none.
  void Relieve();
  // The full edges behind live sources, the nearest first; with mutex_.
  std::vector<RunEdge> FullLiveEdges() const;
  // How many edges each node is from the nearest live source; without those behind none.
  std::map<const NodeRunner*, size_t> HopsFromLive() const;
  void DisarmDeadlines();     // with mutex_
  void FailAsStalled();       // with mutex_
  void Fail(RunError error);  // with mutex_
  // Keeps the first fault: what follows from it is not told. With mutex_.
  void RecordFault(RunError error);
  void BeginDrain(Duration deadline);  // with mutex_
  void Stop();                         // with mutex_
  std::string DescribeStall() const;

  const CheckedGraph definition_;
  Executor& executor_;
  const Services& services_;
  const GraphOptions options_;
  std::unique_ptr<Clock> own_clock_;  // null where the program gave one
  Clock& clock_;
  Duration start_;  // of the run, on clock_
  // In the order of definition_, then as they were added. While the run goes on with mutex_.
  std::vector<std::shared_ptr<NodeRunner>> runners_;
  std::vector<RunEdge> edges_;
  std::map<std::string, std::shared_ptr<Part>> parts_;
  std::unique_ptr<CutPoints> cut_points_;
  Deadline drain_deadline_{*this, [this] { Cancel(); }};

  // The graph is idle for good when nothing is active, nobody holds a Waker, no timer is armed, and no activation came
  // in between.
  std::atomic<int64_t> num_active_{0};
  std::atomic<uint64_t> num_activations_{0};
  std::atomic<int64_t> num_wakers_{0};
  std::atomic<int64_t> num_timers_{0};
  std::atomic<int64_t> num_open_ends_{0};
  std::atomic<size_t> num_made_{0};  // runners
  std::atomic<bool> runs_{false};
  std::atomic<uint64_t> next_item_id_{1};
  std::atomic<int64_t> next_epoch_{1};
  std::atomic<uint64_t> num_lost_items_{0};
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> failed_{false};

  mutable std::mutex mutex_;
  std::condition_variable done_changed_;
  bool started_ = false;
  bool done_ = false;
  size_t num_open_ = 0;             // of definition_.nodes
  size_t num_closed_ = 0;           // of runners_
  std::set<std::string> upcoming_;  // parts whose nodes are being made
  std::map<std::string, NodeCounts> removed_nodes_;
  std::map<std::string, EdgeCounts> removed_edges_;
  RunResult result_;
  std::map<std::string, std::string> unready_;  // by node
  std::mutex sinks_mutex_;                      // of calls of the program's sinks; before mutex_
  std::set<std::string> noted_drops_;           // edges with their reasons; with sinks_mutex_
};

}  // namespace percept::graph
