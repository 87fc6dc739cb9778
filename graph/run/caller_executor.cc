// SPDX-License-Identifier: Apache-2.0
#include "graph/run/caller_executor.h"

namespace percept::graph {

void CallerExecutor::Enqueue(Task& task) {
  const std::lock_guard lock(mutex_);
  ready_.Push(task);
}

bool CallerExecutor::RunOne() {
  Task* task = nullptr;
  {
    const std::lock_guard lock(mutex_);
    task = ready_.Pop();
  }
  if (task) task->Run();
  return task != nullptr;
}

void CallerExecutor::RunAll() {
  while (RunOne()) {
  }
}

}  // namespace percept::graph
