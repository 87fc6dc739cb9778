// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "graph/packet/error_payload.h"
#include "graph/packet/time.h"

namespace percept::graph {

// What stands when a chunk is finished: everything its packets led to, and nothing of what comes after it.
struct ChunkCommit {
  std::string key;                            // as the source named the chunk; "" for the end of the input
  Time end;                                   // nothing of the chunk is at or after it; Max() for the end of the input
  int64_t epoch = 0;                          // of the source, at that time
  bool is_last = false;                       // the input has ended: no chunk follows
  std::map<std::string, int64_t> positions;   // what Node::Commit said, by node
  std::map<std::string, std::string> states;  // what Node::SaveState said, by node
  std::vector<ErrorPayload> failed_items;     // of this chunk, the first error of each
};

// Keeps what a run has finished. OnChunk is called once for each chunk, in order, on a worker, when every sink and
// every node that saves its state has been cut at the chunk's end; what it throws fails the graph. A chunk that some
// node could not be cut at exactly is part of the next one that all of them could. The last call, with `is_last`, comes
// when every node is through with its input; a run that fails or is cancelled does not get there.
class CommitSink {
 public:
  virtual ~CommitSink() = default;
  virtual void OnChunk(const ChunkCommit& commit) = 0;
};

// Where a run goes on: what the last ChunkCommit of an earlier one held.
struct ResumePoint {
  std::string key;
  Time end = Time::Min();
  int64_t epoch = 0;
  std::map<std::string, int64_t> positions;
  std::map<std::string, std::string> states;
};

}  // namespace percept::graph
