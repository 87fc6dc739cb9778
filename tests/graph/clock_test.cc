// SPDX-License-Identifier: Apache-2.0
// Timers of clocks, and nodes that ask to be called at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "graph/run/simulated_clock.h"
#include "graph/run/steady_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;

class NamedTimer : public Timer {
 public:
  NamedTimer(std::string name, int64_t order, std::vector<std::string>& fired)
      : Timer(order), name_(std::move(name)), fired_(fired) {}
  void OnTimer() override { fired_.push_back(name_); }

 private:
  const std::string name_;
  std::vector<std::string>& fired_;
};

TEST(SimulatedClockTest, FiresByTimeThenOrderThenAsArmed) {
  SimulatedClock clock;
  std::vector<std::string> fired;
  NamedTimer late("late", 0, fired), second("second", 2, fired), first("first", 1, fired), third("third", 2, fired);
  clock.Arm(late, Duration::Milliseconds(20));
  clock.Arm(second, Duration::Milliseconds(10));
  clock.Arm(third, Duration::Milliseconds(10));
  clock.Arm(first, Duration::Milliseconds(10));
  clock.OnIdle();
  EXPECT_THAT(fired, ElementsAre("first", "second", "third"));
  EXPECT_EQ(clock.Now(), Duration::Milliseconds(10));
  clock.OnIdle();
  EXPECT_EQ(fired.back(), "late");
  EXPECT_EQ(clock.Now(), Duration::Milliseconds(20));
  clock.OnIdle();
  EXPECT_EQ(clock.Now(), Duration::Milliseconds(20));  // nothing is armed: time stands
}

TEST(SimulatedClockTest, MovesAndDisarmsTimers) {
  SimulatedClock clock;
  std::vector<std::string> fired;
  NamedTimer moved("moved", 0, fired), gone("gone", 1, fired);
  EXPECT_FALSE(clock.Arm(moved, Duration::Milliseconds(5)));
  EXPECT_TRUE(clock.Arm(moved, Duration::Milliseconds(30)));
  EXPECT_FALSE(clock.Arm(gone, Duration::Milliseconds(10)));
  EXPECT_TRUE(clock.Disarm(gone));
  EXPECT_FALSE(clock.Disarm(gone));
  clock.Advance(Duration::Milliseconds(29));
  EXPECT_TRUE(fired.empty());
  clock.Advance(Duration::Milliseconds(1));
  EXPECT_THAT(fired, ElementsAre("moved"));
}

TEST(SteadyClockTest, FiresInOrderOnItsOwnThread) {
  std::mutex mutex;
  std::condition_variable changed;
  struct Signal : Timer {
    Signal(std::mutex& m, std::condition_variable& c, std::vector<int>& f, int n)
        : Timer(0), mutex(m), changed(c), fired(f), number(n) {}
    void OnTimer() override {
      std::lock_guard lock(mutex);
      fired.push_back(number);
      changed.notify_all();
    }
    std::mutex& mutex;
    std::condition_variable& changed;
    std::vector<int>& fired;
    const int number;
  };
  std::vector<int> fired;
  Signal one(mutex, changed, fired, 1), two(mutex, changed, fired, 2), never(mutex, changed, fired, 3);
  SteadyClock clock;
  clock.Arm(never, Duration::Seconds(3600));
  clock.Arm(two, Duration::Milliseconds(2));
  clock.Arm(one, Duration::Milliseconds(1));
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return fired.size() == 2; });
  }
  EXPECT_THAT(fired, ElementsAre(1, 2));
  EXPECT_GE(clock.Now(), Duration::Milliseconds(2));
  EXPECT_TRUE(clock.Disarm(never));
}

class NodeTimerTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  // A source that sends a word each time it is called, `wait` of the run clock apart.
  static NodeFunctions TimedSource(int num_words, Duration wait) {
    NodeFunctions functions;
    functions.process = [num_words, wait, next = 0](NodeContext& context) mutable {
      if (next == num_words) return Process::kFinished;
      context.NewItem(std::to_string(next));
      context.Send("out", MakeWord(std::to_string(context.Now().nanoseconds()), next++));
      context.WakeAfter(wait);
      return Process::kBlocked;
    };
    return functions;
  }
  RunResult RunSource(const NodeFunctions& functions, Clock& clock) {
    Registry registry = WordRegistry();
    RegisterFunctions(registry, WordSourceContract("source.timed"), functions);
    GraphBuilder builder("timed");
    builder.Node("read", "source.timed");
    builder.Node("out", "sink.words").In("read");
    Services services;
    services.Add(recorder_);
    const auto executor = GetParam().make();
    GraphOptions options;
    options.clock = &clock;
    return Graph(builder.Check(registry), *executor, services, options).Run();
  }
  Recorder recorder_;
};

TEST_P(NodeTimerTest, SimulatedTimeMovesOnlyWhileTheGraphIsIdle) {
  SimulatedClock clock;
  EXPECT_EQ(RunSource(TimedSource(4, Duration::Seconds(3600)), clock).status, RunStatus::kFinished);
  EXPECT_THAT(recorder_.Lines("out"), ElementsAre("0s 0 (0)", "0.001s 3600000000000 (1)", "0.002s 7200000000000 (2)",
                                                  "0.003s 10800000000000 (3)"));
  EXPECT_EQ(clock.Now(), Duration::Seconds(4 * 3600));
}

TEST_P(NodeTimerTest, ARealClockWakesTheNodeAndAWaitIsNoWork) {
  SteadyClock clock;
  const RunResult result = RunSource(TimedSource(4, Duration::Milliseconds(5)), clock);
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(recorder_.Lines("out").size(), 4u);
  EXPECT_GE(clock.Now(), Duration::Milliseconds(20));
  EXPECT_EQ(result.nodes[0].runs, 5u);
}

TEST_P(NodeTimerTest, TheNewestCallCounts) {
  SimulatedClock clock;
  NodeFunctions functions;
  functions.process = [runs = 0](NodeContext& context) mutable {
    if (runs++ == 1) return Process::kFinished;
    context.WakeAt(Duration::Seconds(1));
    context.WakeAt(Duration::Seconds(9));
    return Process::kBlocked;
  };
  EXPECT_EQ(RunSource(functions, clock).status, RunStatus::kFinished);
  EXPECT_EQ(clock.Now(), Duration::Seconds(9));
}

TEST_P(NodeTimerTest, ATimeThatNoClockReachesIsTheNodesFault) {
  SimulatedClock clock;
  clock.Advance(Duration::Seconds(1));
  NodeFunctions functions;
  functions.process = [](NodeContext& context) {
    context.WakeAt(Duration::Nanoseconds(std::numeric_limits<int64_t>::max()));
    return Process::kBlocked;
  };
  const RunResult result = RunSource(functions, clock);
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_THAT(result.error->message, testing::StartsWith("timed: node 'read' (source.timed) failed: "));
}

// There is no thread for it.
class BrokenClock : public SimulatedClock {
 public:
  bool Arm(Timer&, Duration) override { throw std::runtime_error("the thread of the clock cannot be made"); }
};

TEST_P(NodeTimerTest, AClockThatCannotWakeIsAFailureOfTheNodeThatAsks) {
  BrokenClock clock;
  NodeFunctions functions;
  functions.process = [](NodeContext& context) {
    context.WakeAfter(Duration::Seconds(1));
    return Process::kBlocked;
  };
  const RunResult result = RunSource(functions, clock);
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "timed: node 'read' (source.timed) failed: the thread of the clock cannot be made");
}

TEST_P(NodeTimerTest, CancelDisarmsTheTimer) {
  std::vector<std::string> log;
  SteadyClock clock;
  NodeFunctions functions;
  std::mutex mutex;
  std::condition_variable changed;
  bool asked = false;
  functions.process = [&](NodeContext& context) {
    context.WakeAfter(Duration::Seconds(3600));
    std::lock_guard lock(mutex);
    asked = true;
    changed.notify_all();
    return Process::kBlocked;
  };
  Registry registry = WordRegistry();
  RegisterFunctions(registry, WordSourceContract("source.timed"), functions);
  GraphBuilder builder("timed");
  builder.Node("read", "source.timed");
  const auto executor = GetParam().make();
  GraphOptions options;
  options.clock = &clock;
  Services services;
  Graph graph(builder.Check(registry), *executor, services, options);
  graph.Start();
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return asked; });
  }
  graph.Cancel();
  EXPECT_EQ(graph.Wait().status, RunStatus::kCancelled);
}

INSTANTIATE_TEST_SUITE_P(All, NodeTimerTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::graph
