// SPDX-License-Identifier: Apache-2.0
#include "graph/run/thread_executor.h"

namespace percept::graph {

ThreadExecutor::ThreadExecutor(const ExecutorOptions& options) {
  const int num_workers = options.num_workers > 0 ? options.num_workers : NumUsableProcessors();
  for (int i = 0; i < num_workers; ++i) {
    threads_.emplace_back([this, entry = options.worker_entry] { Work(entry); });
  }
}

ThreadExecutor::~ThreadExecutor() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadExecutor::Enqueue(Task& task) {
  {
    std::lock_guard lock(mutex_);
    ready_.Push(task);
  }
  wake_.notify_one();
}

void ThreadExecutor::Work(const std::function<void()>& entry) {
  if (entry) entry();
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !ready_.empty(); });
    Task* task = ready_.Pop();
    if (!task) return;
    lock.unlock();
    task->Run();
    lock.lock();
  }
}

}  // namespace percept::graph
