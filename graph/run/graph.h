// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/node/clock.h"
#include "graph/node/services.h"
#include "graph/run/commit.h"
#include "graph/run/executor.h"
#include "graph/run/observer.h"
#include "graph/run/run_log.h"
#include "graph/run/run_result.h"

namespace percept::graph {

struct GraphOptions {
  Clock* clock = nullptr;             // lives longer than the graph; nullptr: a SteadyClock of the graph's own
  Observer* observer = nullptr;       // lives longer than the graph
  LogSink log;                        // told what goes on while it runs; may be empty
  ErrorSink errors;                   // told of items that fail; may be empty
  CommitSink* commits = nullptr;      // lives longer than the graph; null: nothing is committed
  std::optional<ResumePoint> resume;  // with `commits`: where to go on
  // How long, by the run's clock, what is under way may go through to the sinks after a node has failed for good, as in
  // a drain; zero: it stops at once. A run that is committed always does, as what is not committed is done again.
  Duration drain_after_failure = Duration::Seconds(10);
  // Sources with a thread of their own, in a run that is cancelled or fails: how long, by the run's clock, one of them
  // may still wait in its Process. Then the run ends as failed, and thread and node are left behind.
  Duration abandon_after = Duration::Seconds(5);
  // A node whose inputs grow (flow.merge) does not end with its last input, but with a Drain or Cancel: Graph::Add may
  // give it another one. Such a node may also start with no input at all.
  bool keep_open = false;
  // Every edge says so many times that it is full before it takes anything: for tests.
  int64_t forced_full = 0;
};

// Whether a graph is at its work now, and else why not: "opening", "node 'cam' (source.rtsp) waits 400ms to try again:
// no route to host", "draining", "finished".
struct Readiness {
  bool ready = false;
  std::string reason;  // "" where it is ready
};

// Graph::Add or Graph::Remove cannot be done as the run is now. Nothing was changed.
class GraphChangeError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class RunState;

// One run of a checked graph. All functions from any thread; executor and services outlive it.
class Graph {
 public:
  // Makes the nodes. Throws DefinitionError, at the node, where one refuses its parameters or lacks a service.
  Graph(const CheckedGraph& definition, Executor& executor, const Services& services, GraphOptions options = {});
  // Cancels, and waits until every node is closed: never on a worker of the executor. Ends the program, with the
  // message of Wait, where the graph itself called what destroys it.
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Opens the nodes and lets them run, on the executor; returns at once. Once.
  void Start();
  // Until every node is closed. Never on a worker of the executor. Throws std::logic_error: not started, or called by
  // what the graph itself called (a node, a sink's function, GraphOptions::log), as it would wait for itself.
  RunResult Wait();
  // Start and Wait.
  RunResult Run();
  // No node is called again but for Close; what lies on edges is dropped. Returns at once.
  void Cancel();
  // Ends the inputs where they are: sources are asked no more but for work that they have pending, or what the program
  // had pushed into them (Contract::drains), their outputs end, and everything that was sent goes through to the sinks.
  // `deadline` later, by the run's clock, the rest is cancelled. Returns at once; no effect on a run that is over, and
  // none after the first time.
  void Drain(Duration deadline);
  // Adds an instance of a template of the pipeline, as `NAME: { use: TEMPLATE, ... }` would have: makes its nodes,
  // opens them on the executor and then lets them run, while all others go on. The template must feed at least one
  // node; the new input counts from where that node stands once the instance is open, and that is where the timelines
  // of its sources begin (NodeContext::start_time). Returns once the nodes are made. Until Remove, the instance keeps
  // its name and its counts, also when its sources have come to their end; what fails in it fails as in any other node.
  // Throws, with nothing changed: DefinitionError, at the place in the template, for all that a file is refused for,
  // `limits: host_bytes` included; GraphChangeError where the graph was not started, is draining, stopping or over, is
  // committed, has an instance or node of this name, or where a node that is fed has ended.
  void Add(const std::string& template_name, const std::string& name, const Arguments& arguments);
  // Takes an instance out, added or written in the file: its sources are asked no more but for what they have pending,
  // what was sent goes through to the sinks, and its nodes are closed and destroyed. What is not done `deadline` later,
  // by the run's clock, is cut off: each item that is lost by it is reported as failed, and a source that still waits
  // GraphOptions::abandon_after later is left behind. Returns at once; the instance is gone when instances() no longer
  // names it. No effect on one that is being removed, and in a run that is stopping or over.
  // Throws GraphChangeError: no such instance, other nodes read it beside those it feeds, or the run is committed.
  void Remove(const std::string& name, Duration deadline = Duration::Seconds(10));
  // The instances there are, also those that are being removed. Sorted.
  std::vector<std::string> instances() const;
  Readiness readiness() const;

 private:
  std::shared_ptr<RunState> state_;
  std::atomic<bool> started_{false};
};

}  // namespace percept::graph
