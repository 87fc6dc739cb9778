// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "graph/node/position.h"
#include "graph/packet/error_payload.h"

namespace percept::graph {

enum class RunStatus { kFinished, kCancelled, kFailed };

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
  uint64_t runs = 0;       // calls of Process and Flush
  uint64_t sets = 0;       // input sets consumed
  uint64_t sent = 0;       // packets sent, errors included
  uint64_t errors = 0;     // errors that this node found
  uint64_t unmatched = 0;  // sets that lacked an input and were not fired
};

struct EdgeCounts {
  std::string edge;  // "pick.video -> win.video"
  uint64_t packets = 0;
  uint64_t peak_packets = 0;
  uint64_t peak_bytes = 0;
};

struct RunResult {
  RunStatus status = RunStatus::kFinished;
  std::optional<RunError> error;  // kFailed only
  uint64_t num_failed_items = 0;
  std::vector<ErrorPayload> failed_items;  // first error of each, the first 1000 of them
  std::vector<NodeCounts> nodes;
  std::vector<EdgeCounts> edges;
};

}  // namespace percept::graph
