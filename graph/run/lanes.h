// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/node/node.h"
#include "graph/run/lane.h"
#include "graph/run/run_result.h"
#include "graph/run/supervisor.h"

namespace percept::graph {

class NodeRunner;

// A node that runs as several instances, each serial and a task of its own: to its runner it is one node that always
// has work pending. Sets are dealt out in turn, and what the instances send goes out in the order of the sets, so that
// what comes out does not depend on who was faster. An instance takes its next set once all that it sent for the last
// one has gone out: at most one packet a port lies here for each. Exceptions count when the turn of their set comes,
// all instances against the limits of one node.
class Lanes : public Node {
 public:
  // Part of `runner`, which `wake_state` wakes. Throws what making an instance throws.
  Lanes(RunState& run, NodeRunner& runner, size_t order, const OutputPorts& outputs,
        const std::shared_ptr<WakeState>& wake_state);

  // After the run: what only the lanes know.
  void AddTo(NodeCounts& counts) const;

  void Open(NodeContext& context) override;
  graph::Process Process(NodeContext& context) override;
  graph::Process Flush(NodeContext& context) override;
  void Close() override;

 private:
  // What sending the results came to.
  enum class Sent { kAll, kNoRoom, kFinished };

  graph::Process Step(NodeContext& context);
  // In the order of their sets, up to the first that is not done.
  Sent SendResults(NodeContext& context);
  // False where there is no room.
  static bool Send(Lane& lane, NodeContext& context);
  void ReleaseFirst();
  void Deal(NodeContext& context);
  void SetTimer(NodeContext& context) const;
  // An exception of the first lane.
  void Recover(Lane& lane, std::exception_ptr cause, NodeContext& context);
  void WaitToTryAgain(Lane& lane, const Supervisor::Verdict& verdict, Duration now);
  // False while a lane waits to be tried again.
  bool Mend();
  bool Rebuild(Lane& lane);

  RunState& run_;
  NodeRunner& runner_;
  const CheckedNode& node_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  size_t first_ = 0;           // the lane of the earliest set
  size_t num_at_work_ = 0;     // lanes with a set, from first_ on
  bool set_is_taken_ = false;  // the set of this call was dealt out before
  size_t num_flushed_ = 0;     // lanes
  Supervisor supervisor_;
  // The lane that threw, until it works again; meanwhile nothing is sent or dealt out.
  Lane* mending_ = nullptr;
  bool needs_rebuild_ = false;
  uint64_t num_own_calls_ = 0;
  uint64_t num_retries_ = 0;
  uint64_t num_restarts_ = 0;
};

}  // namespace percept::graph
