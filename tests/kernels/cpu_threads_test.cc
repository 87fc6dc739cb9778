// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <array>
#include <atomic>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "kernels/core/error.h"
#include "kernels/cpu/threads.h"

namespace percept {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(ParallelForTest, CoversEveryItemOnce) {
  for (const int threads : {1, 2, 4}) {
    tbb::task_arena arena(threads);
    for (const int64_t count : {0, 1, 7, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
      arena.execute([&] {
        ParallelFor(count, 3, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            ++visits[static_cast<size_t>(i)];
          }
        });
      });
      for (const std::atomic<int>& visit : visits) {
        ASSERT_EQ(visit, 1) << threads << " threads, " << count << " items";
      }
    }
  }
}

TEST(ParallelForTest, RangesHoldAtLeastTheGrain) {
  tbb::task_arena arena(4);
  arena.execute(
      [] { ParallelFor(103, 10, [](int64_t begin, int64_t end) { EXPECT_TRUE(end - begin >= 10 || end == 103); }); });
}

TEST(ParallelForTest, RunsInlineWhenOneRangeIsEnough) {
  tbb::task_arena arena(2);
  arena.execute([] {
    int calls = 0;  // not atomic: one call, on this thread
    ParallelFor(10, 10, [&](int64_t begin, int64_t end) {
      ++calls;
      EXPECT_EQ(begin, 0);
      EXPECT_EQ(end, 10);
    });
    EXPECT_EQ(calls, 1);
  });
}

TEST(ParallelForTest, RethrowsWhatABodyThrows) {
  tbb::task_arena arena(2);
  EXPECT_THAT(
      [&] {
        arena.execute([] {
          ParallelFor(100, 1, [](int64_t begin, int64_t) {
            if (begin == 0) {
              throw std::runtime_error("first range");
            }
          });
        });
      },
      ThrowsMessage<std::runtime_error>(HasSubstr("first range")));
}

TEST(ParallelForTest, RefusesAGrainOfNothing) {
  EXPECT_THAT([] { ParallelFor(1, 0, [](int64_t, int64_t) {}); }, ThrowsMessage<InternalError>(HasSubstr("grain > 0")));
}

TEST(ParallelForSlotsTest, CoversEveryItemAndNeverSharesASlot) {
  tbb::task_arena arena(4);
  arena.execute([] {
    constexpr int64_t kSlots = 3;
    std::vector<std::atomic<int>> visits(500);
    std::atomic<int> in_use[kSlots] = {};
    ParallelForSlots(500, kSlots, [&](int64_t slot, int64_t item) {
      ASSERT_LT(slot, kSlots);
      EXPECT_EQ(in_use[slot]++, 0);
      ++visits[static_cast<size_t>(item)];
      --in_use[slot];
    });
    for (const std::atomic<int>& visit : visits) {
      EXPECT_EQ(visit, 1);
    }
  });
}

TEST(ParallelForSlotsTest, EachThreadStartsWithARunOfItsOwn) {
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, 4);  // also where one core is all
  tbb::task_arena arena(2);
  arena.execute([] {
    std::latch both_started(2);
    std::array<int64_t, 2> first_items = {-1, -1};
    ParallelForSlots(10, 2, [&](int64_t slot, int64_t item) {
      int64_t& first = first_items.at(static_cast<size_t>(slot));
      if (first < 0) {
        first = item;
        both_started.arrive_and_wait();
      }
    });
    EXPECT_THAT(first_items, testing::UnorderedElementsAre(0, 5));
  });
}

TEST(ParallelForSlotsTest, RefusesNoSlots) {
  EXPECT_THAT([] { ParallelForSlots(1, 0, [](int64_t, int64_t) {}); },
              ThrowsMessage<InternalError>(HasSubstr("num_slots > 0")));
}

TEST(UseOneOpenMpThreadTest, HoldsForTheCallingThreadAlone) {
  omp_set_num_threads(3);
  int others = 0;
  std::thread([&others] {
    omp_set_num_threads(5);
    UseOneOpenMpThread();
    others = omp_get_max_threads();
  }).join();
  EXPECT_EQ(others, 1);
  EXPECT_EQ(omp_get_max_threads(), 3);
}

}  // namespace
}  // namespace percept
