// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "graph/node/position.h"
#include "graph/packet/error_payload.h"

namespace percept::graph {

// Something about a run that is neither a result nor an end of it.
struct RunNote {
  enum class Kind {
    kWait,     // a node waits to try again
    kRecover,  // and works again
    kRestart,  // a node failed and is made anew
    kRepair,   // a source begins to mend what comes in, in one way
    kDrop,     // an edge begins to drop packets, for one reason
  };
  Kind kind;
  std::string node;   // the one that it is about; of a drop, that which sends on or reads the edge
  Position position;  // of the node in the pipeline
  std::string text;   // "node 'cam' (source.rtsp) waits 400ms to try again: no route to host"
};

// Where a run says such things, and where it tells of each item that failed, as they happen (of those that lack a field
// which a node's condition looks at, the first); the counts of them all are in the RunResult. Called on worker threads,
// one call at a time, in the order in which a node meets them; never after Graph::Wait has returned. Be short: the node
// waits. May call the graph, but for Wait. What they throw stops the graph as failed, with the exception as
// RunError::cause.
using LogSink = std::function<void(const RunNote& note)>;
using ErrorSink = std::function<void(const ErrorPayload& error)>;

}  // namespace percept::graph
