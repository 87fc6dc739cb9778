// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/packet/time.h"
#include "graph/queue/edge.h"
#include "graph/run/deadline.h"

namespace percept::graph {

class NodeRunner;

// An instance of a template in a run: nodes that come and go together. All but what is marked is the RunState's, with
// its lock.
class Part {
 public:
  // Of a part that the pipeline file writes: its nodes stand in the graph's definition.
  Part(std::string part_name, std::string part_template)
      : name(std::move(part_name)), template_name(std::move(part_template)) {}
  // Of one that was added.
  Part(std::string part_name, std::string part_template, std::vector<CheckedNode> part_nodes)
      : name(std::move(part_name)), template_name(std::move(part_template)), nodes(std::move(part_nodes)) {}

  // An edge out of the part, into an input that was added for it.
  struct Feed {
    enum class State { kExpected, kGiven, kAttached, kDetached };
    NodeRunner* to;
    Edge* edge;
    std::string port;
    State state;
  };

  bool is_added() const { return !nodes.empty(); }

  const std::string name;
  const std::string template_name;
  const std::vector<CheckedNode> nodes;  // of an added part; any thread
  // Of an added part: its nodes may be called, as they are open and its feeds attached. Any thread; with it comes
  // `start`, where the timelines of its sources begin.
  std::atomic<bool> runs{false};
  Time start = Time::Min();

  size_t num_nodes = 0, num_open = 0, num_closed = 0;
  std::vector<Feed> feeds;
  bool is_leaving = false;
  std::optional<Deadline> deadline;  // of leaving; nothing before
  bool deadline_is_due = false;      // armed, or fired and about to run
};

}  // namespace percept::graph
