// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <stdexcept>
#include <utility>

#include "engine/step_executor.h"

namespace percept {

// Keeps an engine's step until the test runs it, so that a test stands between any two steps.
class ManualExecutor : public StepExecutor {
 public:
  void Enqueue(StepTask& task) override {
    const std::lock_guard lock(mutex_);
    if (task_ != nullptr) {
      throw std::logic_error("a second step was enqueued");
    }
    task_ = &task;
  }

  // Runs the step that waits; false where none does.
  bool RunOne() {
    StepTask* task = nullptr;
    {
      const std::lock_guard lock(mutex_);
      task = std::exchange(task_, nullptr);
    }
    if (task != nullptr) {
      task->Run();
    }
    return task != nullptr;
  }

  // Runs steps until none waits; returns how many.
  int RunAll() {
    int num_steps = 0;
    while (RunOne()) {
      ++num_steps;
    }
    return num_steps;
  }

  bool waiting() const {
    const std::lock_guard lock(mutex_);
    return task_ != nullptr;
  }

 private:
  mutable std::mutex mutex_;
  StepTask* task_ = nullptr;
};

}  // namespace percept
