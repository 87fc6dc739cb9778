// SPDX-License-Identifier: Apache-2.0
#include "graph/run/tbb_executor.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/spin_mutex.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <array>
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
    all_idle_.wait(lock, [this] { return num_busy_ == 0 && ready_.empty(); });
  }

  void Enqueue(Task& task) {
    if (current_turn && current_turn->executor == this && current_turn->Add(task)) return;
    std::unique_lock lock(mutex_);
    ready_.Push(task);
    StartTurns(lock, ready_.size());
  }

  int num_workers() const { return num_workers_; }

 private:
  // One worker's turn: runs what is ready until nothing is, so that oneTBB is asked once a turn and not once a task.
  // What a task enqueues is handed out when it ends: who reads from a node then finds all that it sent in a run, and
  // two workers do not wait for each other at every packet.
  struct Turn {
    // False where it has no place left: then the task is handed out at once.
    bool Add(Task& task) {
      if (num_enqueued == enqueued.size()) return false;
      enqueued[num_enqueued++] = &task;
      return true;
    }

    Impl* executor;
    std::array<Task*, 32> enqueued{};  // by the task that runs
    size_t num_enqueued = 0;
  };
  using Lock = std::unique_lock<tbb::spin_mutex>;  // held for less than a switch of threads takes

  void RunTurn() {
    Turn turn{.executor = this};
    current_turn = &turn;
    Lock lock(mutex_);
    while (Task* task = ready_.Pop()) {
      lock.unlock();
      // A oneTBB loop inside the task must not pick up another node while it waits.
      tbb::this_task_arena::isolate([task] { task->Run(); });
      lock.lock();
      for (size_t i = 0; i < turn.num_enqueued; ++i) ready_.Push(*turn.enqueued[i]);
      turn.num_enqueued = 0;
      // This worker takes one of them itself.
      if (ready_.size() > 1) StartTurns(lock, ready_.size() - 1);
    }
    current_turn = nullptr;
    if (--num_busy_ == 0) all_idle_.notify_all();
  }

  // Sees to it that `num_ready` tasks find workers, as far as there are some. Leaves `lock` locked.
  void StartTurns(Lock& lock, size_t num_ready) {
    int num_new = 0;
    for (; num_ready > 0 && num_busy_ < num_workers_; --num_ready, ++num_busy_) ++num_new;
    if (num_new == 0) return;
    lock.unlock();
    for (; num_new > 0; --num_new) arena_.enqueue([this] { RunTurn(); });
    lock.lock();
  }

  static thread_local Turn* current_turn;  // of this thread, null outside

  const int num_workers_;
  // The program's threads only wait, but oneTBB counts them: without the extra one it would run a worker too few.
  tbb::global_control control_;
  tbb::task_arena arena_;
  EntryObserver observer_;
  tbb::spin_mutex mutex_;
  std::condition_variable_any all_idle_;
  ReadyList ready_;
  int num_busy_ = 0;  // workers in a turn, or about to be
};

thread_local TbbExecutor::Impl::Turn* TbbExecutor::Impl::current_turn = nullptr;

TbbExecutor::TbbExecutor(ExecutorOptions options)
    : impl_(std::make_unique<Impl>(options.num_workers > 0 ? options.num_workers : NumUsableProcessors(),
                                   std::move(options.worker_entry))) {}

TbbExecutor::~TbbExecutor() = default;
void TbbExecutor::Enqueue(Task& task) { impl_->Enqueue(task); }
int TbbExecutor::num_workers() const { return impl_->num_workers(); }

}  // namespace percept::graph
