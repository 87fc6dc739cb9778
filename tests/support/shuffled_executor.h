// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <random>
#include <utility>
#include <vector>

#include "graph/run/executor.h"

// Runs tasks on the test's own thread, in an order that a seed decides, whatever their priorities.
class ShuffledExecutor : public percept::graph::Executor {
 public:
  explicit ShuffledExecutor(unsigned seed) : random_(seed) {}
  void Enqueue(percept::graph::Task& task) override { ready_.push_back(&task); }
  int num_workers() const override { return 1; }

  void RunAll() {
    while (!ready_.empty()) {
      std::swap(ready_[random_() % ready_.size()], ready_.back());
      percept::graph::Task* const task = ready_.back();
      ready_.pop_back();
      task->Run();
    }
  }

 private:
  std::vector<percept::graph::Task*> ready_;
  std::mt19937 random_;
};
