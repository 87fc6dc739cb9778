// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "engine/step_executor.h"

namespace percept {

// Runs steps on a thread of its own.
class WorkerExecutor : public StepExecutor {
 public:
  WorkerExecutor() : thread_([this] { Work(); }) {}
  ~WorkerExecutor() override {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  void Enqueue(StepTask& task) override {
    const std::lock_guard lock(mutex_);
    task_ = &task;
    changed_.notify_one();
  }

 private:
  void Work() {
    while (true) {
      StepTask* task = nullptr;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return ends_ || task_ != nullptr; });
        task = std::exchange(task_, nullptr);
      }
      if (task == nullptr) {
        return;
      }
      task->Run();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  StepTask* task_ = nullptr;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace percept
