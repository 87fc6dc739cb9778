// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/threads.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>

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

int NumWorkers() { return tbb::this_task_arena::max_concurrency(); }

}  // namespace percept
