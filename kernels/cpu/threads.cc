// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/threads.h"

#include <omp.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "kernels/core/check.h"

namespace percept {
namespace {

// The items of a loop, cut into runs of neighbours.
class ItemRuns {
 public:
  ItemRuns(int64_t num_items, int64_t num_runs) : num_runs_(num_runs) {
    for (int64_t run = 0; run < num_runs; ++run) {
      runs_[static_cast<size_t>(run)].next = run * num_items / num_runs;
      runs_[static_cast<size_t>(run)].end = (run + 1) * num_items / num_runs;
    }
  }

  // The calling thread's own run, then what is left of the others.
  template <typename Body>
  void TakeAll(Body&& body) {
    const int64_t home = std::max(0, tbb::this_task_arena::current_thread_index());
    for (int64_t i = 0; i < num_runs_; ++i) {
      Run& run = runs_[static_cast<size_t>((home + i) % num_runs_)];
      for (int64_t item = run.next++; item < run.end; item = run.next++) {
        body(item);
      }
    }
  }

 private:
  struct alignas(64) Run {
    std::atomic<int64_t> next;
    int64_t end;
  };

  int64_t num_runs_;
  std::array<Run, kMaxSlotThreads> runs_;
};

}  // namespace

void ParallelFor(int64_t count, int64_t grain, FunctionRef<void(int64_t begin, int64_t end)> body) {
  PERCEPT_CHECK(grain > 0);
  if (count <= 0) {
    return;
  }
  // As many equal ranges as workers have a use for: a few each, so that one slow worker does not hold up the loop.
  constexpr int64_t kRangesPerWorker = 4;
  const int workers = NumWorkers();
  const int64_t ranges = workers == 1 ? 1 : std::clamp<int64_t>(count / grain, 1, workers * kRangesPerWorker);
  if (ranges == 1) {
    body(0, count);
    return;
  }
  const int64_t size = (count + ranges - 1) / ranges;
  ParallelForSlots((count + size - 1) / size, workers,
                   [&](int64_t /*slot*/, int64_t i) { body(i * size, std::min(count, (i + 1) * size)); });
}

void ParallelForSlots(int64_t num_items, int64_t num_slots, FunctionRef<void(int64_t slot, int64_t item)> body) {
  PERCEPT_CHECK(num_slots > 0);
  const int64_t tasks = std::min({num_items, num_slots, static_cast<int64_t>(NumWorkers()), kMaxSlotThreads});
  if (tasks <= 1) {
    for (int64_t item = 0; item < num_items; ++item) {
      body(0, item);
    }
    return;
  }
  ItemRuns runs(num_items, tasks);
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(
        tbb::blocked_range<int64_t>(0, tasks, 1),
        [&](const tbb::blocked_range<int64_t>& range) {
          for (int64_t slot = range.begin(); slot < range.end(); ++slot) {
            runs.TakeAll([&](int64_t item) { body(slot, item); });
          }
        },
        tbb::simple_partitioner());
  });
}

int NumWorkers() { return tbb::this_task_arena::max_concurrency(); }

void UseOneOpenMpThread() { omp_set_num_threads(1); }

}  // namespace percept
