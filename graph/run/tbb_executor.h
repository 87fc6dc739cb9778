// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "graph/run/executor.h"

namespace percept::graph {

// One oneTBB arena. The threads of the program only wait, so all the work is done by its workers; oneTBB loops inside a
// task use the same arena and never pick up another task on their stack. The destructor waits for tasks enqueued.
class TbbExecutor : public Executor {
 public:
  explicit TbbExecutor(ExecutorOptions options = {});
  ~TbbExecutor() override;
  void Enqueue(Task& task) override;
  int num_workers() const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace percept::graph
