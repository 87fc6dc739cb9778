// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/node/position.h"
#include "graph/packet/error_payload.h"

namespace percept::graph {

enum class RunStatus {
  kFinished,   // every source came to its end
  kDrained,    // at least one was ended before by Graph::Drain; everything that was sent went through
  kCancelled,  // also a drain that took too long
  kFailed,     // a node failed for good; what was under way went through to the sinks as far as it could
};

// Why a graph stopped before its inputs ended.
struct RunError {
  std::string node;   // "" where it is the whole graph's (a stall)
  Position position;  // of the node in the pipeline
  std::string reason;
  std::exception_ptr cause;  // what the node threw; null otherwise
  // "ocr.yaml:7:3: node 'see' (encode.vision) failed: reason"
  std::string message;
};

struct NodeCounts {
  std::string node;
  uint64_t runs = 0;              // calls of Process and Flush
  uint64_t sets = 0;              // input sets consumed
  uint64_t sent = 0;              // packets sent, errors included
  uint64_t errors = 0;            // errors that this node found
  uint64_t unmatched = 0;         // sets that lacked an input and were not fired
  uint64_t peak_state_items = 0;  // what it kept between sets at most, packets that wait in its windows included
  uint64_t peak_state_bytes = 0;
  uint64_t retries = 0;                     // waits to try again
  uint64_t restarts = 0;                    // times the node was made anew
  std::map<std::string, uint64_t> repairs;  // what a source mended on its way in, by kind
};

struct EdgeCounts {
  std::string edge;  // "pick.video -> win.video"
  uint64_t packets = 0;
  uint64_t peak_packets = 0;
  uint64_t peak_bytes = 0;
  std::map<std::string, uint64_t> drops;  // reason -> packets; only what happened
};

struct RunResult {
  RunStatus status = RunStatus::kFinished;
  std::optional<RunError> error;  // kFailed only
  uint64_t num_failed_items = 0;
  std::vector<ErrorPayload> failed_items;  // first error of each, the first 1000 of them
  // Runs that failed or were cancelled: items that were read and, somewhere in the graph, did not come to their end.
  // Packets that a node keeps count one each; failed items do not count.
  uint64_t num_lost_items = 0;
  std::vector<NodeCounts> nodes;
  std::vector<EdgeCounts> edges;
  // Of instances that were removed, summed by template: the nodes are called "camera/read", whatever the instances
  // were; the edges "camera/read.out -> camera/pick.in". Peaks are those of the instance that had the highest.
  std::vector<NodeCounts> removed_nodes;
  std::vector<EdgeCounts> removed_edges;
};

}  // namespace percept::graph
