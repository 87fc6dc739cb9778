// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "graph/run/executor.h"
#include "graph/run/ready_list.h"

namespace percept::graph {

// Plain threads: for the thread sanitizer, and for programs without oneTBB. The destructor runs tasks enqueued, then
// joins.
class ThreadExecutor : public Executor {
 public:
  explicit ThreadExecutor(const ExecutorOptions& options = {});
  ~ThreadExecutor() override;
  void Enqueue(Task& task) override;
  int num_workers() const override { return static_cast<int>(threads_.size()); }

 private:
  void Work(const std::function<void()>& entry);

  std::mutex mutex_;
  std::condition_variable wake_;
  ReadyList ready_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace percept::graph
