// SPDX-License-Identifier: Apache-2.0
#include "graph/run/tbb_executor.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

#include "graph/run/ready_list.h"

namespace percept::graph {
namespace {

class EntryObserver : public tbb::task_scheduler_observer {
 public:
  EntryObserver(tbb::task_arena& arena, std::function<void()> entry)
      : tbb::task_scheduler_observer(arena), entry_(std::move(entry)) {
    observe(true);
  }
  ~EntryObserver() override { observe(false); }
  void on_scheduler_entry(bool) override {
    if (entry_) entry_();
  }

 private:
  const std::function<void()> entry_;
};

}  // namespace

class TbbExecutor::Impl {
 public:
  Impl(int num_workers, std::function<void()> entry)
      : num_workers_(num_workers),
        control_(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(num_workers) + 1),
        arena_(num_workers, /*reserved_for_masters=*/0),
        observer_(arena_, std::move(entry)) {}

  ~Impl() {
    std::unique_lock lock(mutex_);
    all_run_.wait(lock, [this] { return num_enqueued_ == 0; });
  }

  void Enqueue(Task& task) {
    {
      std::lock_guard lock(mutex_);
      ready_.Push(task);
      ++num_enqueued_;
    }
    arena_.enqueue([this] { RunFirst(); });
  }

  int num_workers() const { return num_workers_; }

 private:
  void RunFirst() {
    Task* task = nullptr;
    {
      std::lock_guard lock(mutex_);
      task = ready_.Pop();
    }
    // A oneTBB loop inside the task must not pick up another node while it waits.
    tbb::this_task_arena::isolate([task] { task->Run(); });
    std::lock_guard lock(mutex_);
    if (--num_enqueued_ == 0) all_run_.notify_all();
  }

  const int num_workers_;
  // The program's threads only wait, but oneTBB counts them: without the extra one it would run a worker too few.
  tbb::global_control control_;
  tbb::task_arena arena_;
  EntryObserver observer_;
  std::mutex mutex_;
  std::condition_variable all_run_;
  ReadyList ready_;
  size_t num_enqueued_ = 0;
};

TbbExecutor::TbbExecutor(ExecutorOptions options)
    : impl_(std::make_unique<Impl>(options.num_workers > 0 ? options.num_workers : NumUsableProcessors(),
                                   std::move(options.worker_entry))) {}

TbbExecutor::~TbbExecutor() = default;
void TbbExecutor::Enqueue(Task& task) { impl_->Enqueue(task); }
int TbbExecutor::num_workers() const { return impl_->num_workers(); }

}  // namespace percept::graph
