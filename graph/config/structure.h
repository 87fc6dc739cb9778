// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/config/checked_graph.h"

namespace percept::graph {

// An output that nobody reads.
struct DeadPort {
  size_t node;
  size_t port;  // position in the contract's outputs
};

// How late what a source sends comes to a sink at most, by what the graph keeps back, beside the time that the nodes
// compute. The times are those of the longest way.
struct StructuralDelay {
  size_t source = 0;
  size_t sink = 0;
  std::vector<size_t> way;  // nodes from source to sink
  Duration windows{};       // media time: nodes that fill up first, tolerances
  Duration waits{};         // the run clock: max_wait of joins and batches
  Duration queues{};        // media time: edges that are bounded in it
  // Sets of the source, at no known interval, that must come too before its first goes on: the most on any way.
  int64_t items = 0;
  // Sets before it that other instances (`parallel`) are still at, and that go on first: the most on any way.
  int64_t at_work = 0;

  Duration total() const { return windows + waits + queues; }
};

// What follows from the wiring of a checked graph and what its nodes state.
struct Structure {
  int64_t edge_bytes = 0;               // of all edges at their limits; at most the largest number there is
  int64_t state_bytes = 0;              // of all nodes at their bounds
  int64_t work_bytes = 0;               // of all sets at work in nodes of several instances
  std::vector<size_t> no_byte_bound;    // nodes that keep something, but state no bytes: not in state_bytes
  std::vector<DeadPort> dead_ports;     // in the order of the nodes
  std::vector<size_t> joins;            // nodes that make sets of several inputs, or of windows
  std::vector<StructuralDelay> delays;  // of each source to each sink that it reaches
};

// Bytes of the sets at work in the instances of a node, each as much as the edges into it hold; 0 where it is one.
int64_t WorkBytesOf(const CheckedGraph& graph, size_t node);

// In the order of the nodes.
std::vector<DeadPort> DeadPortsOf(const CheckedGraph& graph);

// Items and times are counted up to kMostItems and kMostTime (bounded_sum.h).
Structure StructureOf(const CheckedGraph& graph);

}  // namespace percept::graph
