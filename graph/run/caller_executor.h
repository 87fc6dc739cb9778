// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>

#include "graph/run/executor.h"
#include "graph/run/ready_list.h"

namespace percept::graph {

// Runs tasks on the thread of whoever asks it to, one after the other: a graph on it does the same each time. Tasks may
// be enqueued from any thread.
class CallerExecutor : public Executor {
 public:
  void Enqueue(Task& task) override;
  int num_workers() const override { return 1; }

  // Runs the task that is next; false where none waits.
  bool RunOne();
  // Runs tasks until none waits.
  void RunAll();

 private:
  std::mutex mutex_;
  ReadyList ready_;
};

}  // namespace percept::graph
