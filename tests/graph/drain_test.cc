// SPDX-License-Identifier: Apache-2.0
// Graphs that are ended before their inputs are, and sources that say nothing for long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "graph/run/caller_executor.h"
#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/edge_limits.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

const Duration kDeadline = Duration::Seconds(10);

// read -> one -> out with one packet an edge, where `out` keeps its first word until it is released, and `read` sends
// words without end.
class DrainTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  DrainTest() {
    Registry registry = WordRegistry();
    RegisterCountingSource(registry, 1 << 30);
    NodeFunctions sink;
    sink.process = [this](NodeContext& context) {
      if (!released_.load()) {
        waker_ = context.waker();
        return Process::kBlocked;
      }
      words_.push_back(context.inputs().Get("in").Get<Word>().text);
      return Process::kNeedInput;
    };
    RegisterFunctions(registry, WordContract("sink.waits", {"in"}, {}), sink);
    GraphBuilder builder("test");
    builder.Node("read", "source.count");
    builder.Node("one", "word.append").In("read");
    builder.Node("out", "sink.waits").In("one");
    CheckedGraph checked = builder.Check(registry);
    SetEdgeLimits(checked, {.packets = 1});
    GraphOptions options;
    options.observer = &observer_;
    options.clock = &clock_;
    executor_ = GetParam().make();
    graph_ = std::make_unique<Graph>(checked, *executor_, services_, options);
  }
  // Until every queue is full: the sink holds a word and each edge one; `read` and `one` have sent one more each. (A
  // sink that holds a word has run once.)
  void StartAndFill() {
    graph_->Start();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return num_sent_ == 5 && sink_has_run_; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int num_sent_ = 0;
  bool sink_has_run_ = false;
  FunctionObserver observer_{[this](const TraceEvent& event) {
    std::lock_guard lock(mutex_);
    num_sent_ += event.kind == TraceKind::kSent ? 1 : 0;
    sink_has_run_ = sink_has_run_ || (event.kind == TraceKind::kRunEnd && event.node == "out");
    changed_.notify_all();
  }};
  SimulatedClock clock_;
  Services services_;
  std::atomic<bool> released_{false};
  Waker waker_;
  std::vector<std::string> words_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Graph> graph_;
};

TEST_P(DrainTest, WhatWasSentGoesThroughFullQueues) {
  StartAndFill();
  EXPECT_EQ(graph_->readiness().reason, "");
  graph_->Drain(kDeadline);
  EXPECT_FALSE(graph_->readiness().ready);
  EXPECT_EQ(graph_->readiness().reason, "draining");
  released_.store(true);
  waker_.Wake();
  const RunResult result = graph_->Wait();
  EXPECT_EQ(result.status, RunStatus::kDrained);
  EXPECT_EQ(result.nodes[0].sent, 3u);
  EXPECT_THAT(words_, testing::ElementsAre("0", "1", "2"));
  EXPECT_EQ(clock_.next(), std::nullopt) << "the deadline is still armed";
  EXPECT_EQ(graph_->readiness().reason, "finished");
}

TEST_P(DrainTest, IsCancelledAtItsDeadline) {
  StartAndFill();
  graph_->Drain(kDeadline);
  graph_->Drain(Duration::Seconds(1));  // the first deadline holds
  clock_.Advance(Duration::Seconds(9));
  EXPECT_EQ(graph_->readiness().reason, "draining");
  clock_.Advance(Duration::Seconds(1));
  EXPECT_EQ(graph_->Wait().status, RunStatus::kCancelled);
  EXPECT_TRUE(words_.empty());
}

TEST_P(DrainTest, IsCutShortByACancel) {
  StartAndFill();
  graph_->Drain(kDeadline);
  graph_->Cancel();
  EXPECT_EQ(graph_->Wait().status, RunStatus::kCancelled);
  EXPECT_EQ(clock_.next(), std::nullopt) << "the deadline is still armed";
}

TEST_P(DrainTest, BeforeTheStartEndsTheRunAtOnce) {
  graph_->Drain(kDeadline);
  const RunResult result = graph_->Run();
  EXPECT_EQ(result.status, RunStatus::kDrained);
  EXPECT_EQ(result.nodes[0].sent, 0u);
}

INSTANTIATE_TEST_SUITE_P(Executors, DrainTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

// read -> out on the thread of the test.
class SourceEndTest : public testing::Test {
 protected:
  void Make(const NodeFunctions& source) {
    Registry registry = WordRegistry();
    RegisterFunctions(registry, WordSourceContract("source.test"), source);
    GraphBuilder builder("test");
    builder.Node("read", "source.test");
    builder.Node("out", "sink.record").In("read");
    services_.Add(recorder_);
    GraphOptions options;
    options.clock = &clock_;
    graph_ = std::make_unique<Graph>(builder.Check(registry), executor_, services_, options);
    graph_->Start();
    executor_.RunAll();
  }

  SimulatedClock clock_;
  CallerExecutor executor_;
  Recorder recorder_;
  Services services_;
  std::unique_ptr<Graph> graph_;
};

TEST_F(SourceEndTest, PendingWorkOfASourceEndsFirst) {
  Pending pending;
  Waker waker;
  bool is_interrupted = false, has_begun = false, is_done = false;
  NodeFunctions source;
  source.interrupt = [&] { is_interrupted = true; };
  source.process = [&](NodeContext& context) {
    if (!std::exchange(has_begun, true)) {
      pending = context.Hold(context.NewItem("a.png"), Time::Seconds(0));
      waker = context.waker();
      return Process::kBlocked;
    }
    if (!is_done) return Process::kBlocked;
    context.Send("out", MakeWord("a", 0), pending);
    pending.Done();
    return Process::kHaveOutput;
  };
  Make(source);
  graph_->Drain(kDeadline);
  executor_.RunAll();
  EXPECT_TRUE(is_interrupted);
  EXPECT_EQ(graph_->readiness().reason, "draining");
  is_done = true;
  waker.Wake();
  executor_.RunAll();
  EXPECT_EQ(graph_->Wait().status, RunStatus::kDrained);
  EXPECT_THAT(recorder_.Lines("out"), testing::ElementsAre("0s a (a.png)"));
}

TEST_F(SourceEndTest, ADrainAfterTheLastInputChangesNothing) {
  NodeFunctions source;
  source.process = [](NodeContext&) { return Process::kFinished; };
  Make(source);
  graph_->Drain(kDeadline);
  EXPECT_EQ(graph_->Wait().status, RunStatus::kFinished);
  EXPECT_EQ(clock_.next(), std::nullopt);
}

TEST_F(SourceEndTest, ASilentSourceRunsNoTask) {
  Waker waker;
  NodeFunctions source;
  source.process = [&](NodeContext& context) {
    waker = context.waker();
    return Process::kBlocked;
  };
  Make(source);
  clock_.Advance(Duration::Seconds(3600));
  EXPECT_FALSE(executor_.RunOne());
  graph_->Cancel();
  executor_.RunAll();
  EXPECT_EQ(graph_->Wait().nodes[0].runs, 1u);
}

// The graph is gone by the time the executor would run what it was given.
TEST(EndBeforeStartTest, NothingIsRunForAGraphThatNeverStarts) {
  for (const bool drains : {true, false}) {
    Registry registry = WordRegistry();
    RegisterCountingSource(registry, 3);
    GraphBuilder builder("test");
    builder.Node("read", "source.count");
    builder.Node("one", "word.append").In("read");
    builder.Node("out", "sink.words").In("one");
    CallerExecutor executor;
    Services services;
    SimulatedClock clock;
    GraphOptions options;
    options.clock = &clock;
    {
      Graph graph(builder.Check(registry), executor, services, options);
      if (drains) {
        graph.Drain(Duration());
        clock.Advance(Duration::Seconds(1));  // what is left then is cancelled
      } else {
        graph.Cancel();
      }
    }
    EXPECT_EQ(executor.RunOne(), drains);  // the deadline
    EXPECT_FALSE(executor.RunOne());
  }
}

}  // namespace
}  // namespace percept::graph
