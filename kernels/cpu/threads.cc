// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/threads.h"

#include <omp.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>

#include "kernels/core/check.h"

namespace percept {

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
  tbb::this_task_arena::isolate([&] {
    tbb::parallel_for(
        tbb::blocked_range<int64_t>(0, (count + size - 1) / size, 1),
        [&](const tbb::blocked_range<int64_t>& range) {
          for (int64_t i = range.begin(); i < range.end(); ++i) {
            body(i * size, std::min(count, (i + 1) * size));
          }
        },
        tbb::simple_partitioner());
  });
}

void ParallelForSlots(int64_t num_items, int64_t num_slots, FunctionRef<void(int64_t slot, int64_t item)> body) {
  PERCEPT_CHECK(num_slots > 0);
  std::atomic<int64_t> next_item{0};
  ParallelFor(std::min({num_items, num_slots, static_cast<int64_t>(NumWorkers())}), 1, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot) {
      for (int64_t item = next_item++; item < num_items; item = next_item++) {
        body(slot, item);
      }
    }
  });
}

int NumWorkers() { return tbb::this_task_arena::max_concurrency(); }

void UseOneOpenMpThread() { omp_set_num_threads(1); }

}  // namespace percept
