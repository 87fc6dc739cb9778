// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/node/node.h"
#include "graph/packet/item.h"
#include "graph/run/commit.h"

namespace percept::graph {

// Why a run of this graph can be committed as a whole only, and an interrupted one has to start over: "it has 2
// sources", "node 'win' keeps packets that are not saved". "" where it is cut chunk by chunk.
std::string WhyUncut(const CheckedGraph& graph);

class CutPoints;

// One node's share in the cut points: a sink, or a node that saves its state. Used by the node's runner only, between
// two calls of the node.
class Cutter {
 public:
  Cutter(CutPoints& owner, const CheckedNode& node);

  // The earliest chunk end at which the node has not been cut; Max() where there is none yet.
  Time next() const { return next_.load(std::memory_order_acquire); }
  // Cuts the node at every chunk end up to `passed`: it has seen all that is before, and nothing that is at or after.
  // Where work is pending from before a chunk end, `earliest_pending`, that chunk waits; or, where the node has to go
  // on (`must_go_on`), it is left to the next one. Throws what the node's Commit and SaveState throw, and OnChunk.
  void Cut(Node& node, Time passed, Time earliest_pending, bool must_go_on);
  // The node has seen all of its input and will not be called again.
  void CutLast(Node& node);

 private:
  friend class CutPoints;
  struct Place {
    std::optional<int64_t> position;
    std::optional<std::string> state;
  };
  Place Look(Node& node) const;

  CutPoints& owner_;
  const std::string& name_;
  const bool commits_, saves_;
  std::atomic<Time> next_{Time::Max()};
  // With the owner's lock.
  size_t num_cut_ = 0;  // chunks, from the start of the run
  bool has_ended_ = false;
  Place last_;
};

// The chunk ends of one run: collects where each cutter stood at each of them, and hands whole chunks to the
// CommitSink.
class CutPoints {
 public:
  CutPoints(const CheckedGraph& graph, CommitSink& sink);

  // The cutter of a node, null where the node has no share. Before the run.
  Cutter* cutter(size_t node_idx) const { return cutters_[node_idx].get(); }

  // By the source: everything before `end`, and every item with an id below `next_item_id`, belongs to this chunk or an
  // earlier one. False where the graph is not cut chunk by chunk. The caller then looks at every cutter's node.
  bool EndChunk(std::string key, Time end, int64_t epoch, uint64_t next_item_id);
  void OnFailedItem(uint64_t item_id, const ErrorPayload& error);
  // A source has come to its end by itself: a run whose sources are stopped before does not get to its last chunk.
  void OnSourceEnd();

 private:
  friend class Cutter;
  struct Chunk {
    ChunkCommit commit;
    uint64_t next_item_id = 0;
    size_t num_missing = 0;  // cutters
    bool is_exact = true;    // no cutter had to pass it by
  };
  struct Failed {
    uint64_t item_id;
    ErrorPayload error;
  };

  void Take(Cutter& cutter, Time passed, const Cutter::Place* place);
  void TakeLast(Cutter& cutter, Cutter::Place place);
  static void Put(const Cutter& cutter, const Cutter::Place& place, Chunk& chunk);
  // With the lock.
  void Advance(Cutter& cutter);
  void HandOverLast();
  void HandOver();
  void HandOver(Chunk& chunk);

  CommitSink& sink_;
  const bool is_cut_;
  std::vector<std::unique_ptr<Cutter>> cutters_;  // by node
  size_t num_cutters_ = 0, num_sources_ = 0;

  std::mutex mutex_;
  std::deque<Chunk> chunks_;    // not yet handed over
  size_t num_handed_over_ = 0;  // number of the first of them
  size_t num_ended_ = 0;        // cutters
  size_t num_sources_ended_ = 0;
  std::vector<Failed> failed_;    // items of chunks not yet handed over
  bool sink_has_failed_ = false;  // it threw: nothing that follows is handed over
};

}  // namespace percept::graph
