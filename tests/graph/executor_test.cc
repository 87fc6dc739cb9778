// SPDX-License-Identifier: Apache-2.0
#include "graph/run/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "graph/run/caller_executor.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

// Lets a test wait for tasks without sleeping.
class Latch {
 public:
  explicit Latch(int num) : num_(num) {}
  void CountDown() {
    std::lock_guard lock(mutex_);
    if (--num_ == 0) changed_.notify_all();
  }
  void Await() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return num_ <= 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int num_;
};

class FunctionTask : public Task {
 public:
  explicit FunctionTask(std::function<void()> function) : function_(std::move(function)) {}
  void Run() noexcept override { function_(); }

 private:
  std::function<void()> function_;
};

class ExecutorTest : public testing::TestWithParam<ExecutorCase> {};

TEST_P(ExecutorTest, RunsEveryTaskAndCanRunItAgain) {
  constexpr int kNumTasks = 50, kNumRuns = 20;
  std::vector<int> runs(kNumTasks, 0);
  std::vector<std::unique_ptr<FunctionTask>> tasks;
  Latch done(kNumTasks);
  const auto executor = GetParam().make();
  for (int i = 0; i < kNumTasks; ++i) {
    tasks.push_back(std::make_unique<FunctionTask>([&, i] {
      if (++runs[i] < kNumRuns) {
        executor->Enqueue(*tasks[i]);
      } else {
        done.CountDown();
      }
    }));
  }
  for (const auto& task : tasks) executor->Enqueue(*task);
  done.Await();
  EXPECT_EQ(runs, std::vector<int>(kNumTasks, kNumRuns));
}

TEST_P(ExecutorTest, NeverRunsOnTheCallersThread) {
  std::atomic<bool> on_caller{false};
  const auto caller = std::this_thread::get_id();
  Latch done(1);
  FunctionTask inner([&] { done.CountDown(); });
  const auto executor = GetParam().make();
  FunctionTask outer([&] {
    on_caller = std::this_thread::get_id() == caller;
    executor->Enqueue(inner);
  });
  executor->Enqueue(outer);
  done.Await();
  EXPECT_FALSE(on_caller);
}

TEST_P(ExecutorTest, DestructorWaitsForWhatWasEnqueued) {
  std::atomic<int> num_run{0};
  std::vector<std::unique_ptr<FunctionTask>> tasks;
  {
    const auto executor = GetParam().make();
    for (int i = 0; i < 20; ++i) {
      tasks.push_back(std::make_unique<FunctionTask>([&] { ++num_run; }));
      executor->Enqueue(*tasks.back());
    }
  }
  EXPECT_EQ(num_run, 20);
}

INSTANTIATE_TEST_SUITE_P(All, ExecutorTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

template <class T>
void ExpectLowestPriorityFirst() {
  std::vector<int> order;
  Latch occupied(1), enqueued(1), done(4);
  FunctionTask first([&] {
    occupied.CountDown();
    enqueued.Await();  // so that all of the others are ready when the worker is free
  });
  std::vector<std::unique_ptr<FunctionTask>> tasks;
  T executor({1, {}});
  executor.Enqueue(first);
  occupied.Await();
  for (int priority : {3, 1, 2, 1}) {
    const int number = static_cast<int>(tasks.size());
    tasks.push_back(std::make_unique<FunctionTask>([&order, &done, priority, number] {
      order.push_back(priority * 10 + number);
      done.CountDown();
    }));
    tasks.back()->priority = priority;
    executor.Enqueue(*tasks.back());
  }
  enqueued.CountDown();
  done.Await();
  EXPECT_EQ(order, (std::vector<int>{11, 13, 22, 30}));
}

TEST(ExecutorOrderTest, ThreadsRunTheLowestPriorityFirst) { ExpectLowestPriorityFirst<ThreadExecutor>(); }

TEST(ExecutorOrderTest, EveryThreadEntersOnce) {
  std::mutex mutex;
  std::multiset<std::thread::id> entered;
  {
    ThreadExecutor executor({3, [&] {
                               std::lock_guard lock(mutex);
                               entered.insert(std::this_thread::get_id());
                             }});
    EXPECT_EQ(executor.num_workers(), 3);
  }
  EXPECT_EQ(entered.size(), 3u);
}

TEST(ExecutorOrderTest, AtLeastOneProcessorIsUsable) { EXPECT_GE(NumUsableProcessors(), 1); }

#if !defined(__SANITIZE_THREAD__)
TEST(ExecutorOrderTest, TbbRunsTheLowestPriorityFirst) { ExpectLowestPriorityFirst<TbbExecutor>(); }

TEST(ExecutorOrderTest, TbbRunsAsManyTasksAtOnceAsItHasWorkers) {
  // Each task waits for the other: with a worker too few this would never end.
  Latch both(2), done(2);
  FunctionTask one([&] {
    both.CountDown();
    both.Await();
    done.CountDown();
  });
  FunctionTask two([&] {
    both.CountDown();
    both.Await();
    done.CountDown();
  });
  TbbExecutor executor({2, {}});
  executor.Enqueue(one);
  executor.Enqueue(two);
  done.Await();
}

TEST(ExecutorOrderTest, TbbWorkersEnterBeforeTheirFirstTask) {
  static thread_local bool entered = false;
  std::atomic<bool> entered_first{false};
  Latch done(1);
  FunctionTask task([&] {
    entered_first = entered;
    done.CountDown();
  });
  TbbExecutor executor({1, [] { entered = true; }});
  executor.Enqueue(task);
  done.Await();
  EXPECT_TRUE(entered_first);
}
#endif

TEST(CallerExecutorTest, RunsTheMostUrgentTaskOnTheCallersThread) {
  CallerExecutor executor;
  std::vector<std::string> ran;
  FunctionTask last([&] { ran.emplace_back("last"); });
  FunctionTask second([&] { ran.emplace_back("second"); });
  FunctionTask first([&] {
    ran.emplace_back("first");
    executor.Enqueue(second);
  });
  last.priority = 2;
  second.priority = 1;
  executor.Enqueue(last);
  executor.Enqueue(first);
  EXPECT_TRUE(ran.empty());
  EXPECT_TRUE(executor.RunOne());
  EXPECT_EQ(ran, std::vector<std::string>{"first"});
  executor.RunAll();
  EXPECT_EQ(ran, (std::vector<std::string>{"first", "second", "last"}));
  EXPECT_FALSE(executor.RunOne());
}

}  // namespace
}  // namespace percept::graph
