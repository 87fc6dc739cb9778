// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "graph/node/clock.h"
#include "graph/run/executor.h"

namespace percept::graph {

class RunState;

// Does something to a run when a time is over: on a worker, as a timer may not do so itself.
class Deadline : public Timer, public Task {
 public:
  // `due` may destroy the deadline.
  Deadline(RunState& run, std::function<void()> due);
  void OnTimer() override;
  void Run() noexcept override;

 private:
  RunState& run_;
  const std::function<void()> due_;
  std::shared_ptr<RunState> keep_;  // from firing to running
};

}  // namespace percept::graph
