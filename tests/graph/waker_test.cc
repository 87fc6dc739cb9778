// SPDX-License-Identifier: Apache-2.0
// Work that comes back from another thread: before Process returns, after it, and never.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

constexpr int kNumWords = 300;

std::vector<std::string> ExpectedWords() {
  std::vector<std::string> lines;
  for (int i = 0; i < kNumWords; ++i) {
    lines.push_back(Time::Milliseconds(i).ToString() + " " + std::to_string(i) + " (" + std::to_string(i) + ")");
  }
  return lines;
}

class WakerTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  // read -> back -> out with the engine behind `back`.
  CheckedGraph EngineGraph(int num_words, int depth, int64_t in_flight = 8) {
    Registry registry = WordRegistry();
    RegisterCountingSource(registry, num_words, in_flight);
    GraphBuilder builder("engine");
    builder.Node("read", "source.count");
    builder.Node("back", "word.engine").In("read").Set("depth", depth);
    builder.Node("out", "sink.words").In("back");
    return builder.Check(registry);
  }

  Recorder recorder_;
  Services services_;
};

TEST_P(WakerTest, LosesNoWakeWhateverTheEnginesPace) {
  for (FakeEngine::Pace pace : {FakeEngine::Pace::kFree, FakeEngine::Pace::kAtOnce}) {
    for (int depth : {1, 3}) {
      Recorder recorder;
      FakeEngine engine(pace);
      Services services;
      services.Add(recorder);
      services.Add(engine);
      const auto executor = GetParam().make();
      const RunResult result = Graph(EngineGraph(kNumWords, depth), *executor, services).Run();
      EXPECT_EQ(result.status, RunStatus::kFinished);
      EXPECT_EQ(recorder.Lines("out"), ExpectedWords());
    }
  }
}

TEST_P(WakerTest, LosesNoWakeThatComesAfterProcessReturned) {
  FakeEngine engine(FakeEngine::Pace::kReleased);
  FunctionObserver observer([&](const TraceEvent& event) {
    if (event.kind == TraceKind::kRunEnd && event.node == "back") engine.Release();
  });
  services_.Add(recorder_);
  services_.Add(engine);
  const auto executor = GetParam().make();
  GraphOptions options;
  options.observer = &observer;
  EXPECT_EQ(Graph(EngineGraph(kNumWords, 1), *executor, services_, options).Run().status, RunStatus::kFinished);
  EXPECT_EQ(recorder_.Lines("out"), ExpectedWords());
}

TEST_P(WakerTest, SubmitsSeveralBeforeTheFirstIsDone) {
  FakeEngine engine(FakeEngine::Pace::kReleased);
  services_.Add(recorder_);
  services_.Add(engine);
  const auto executor = GetParam().make();
  Graph graph(EngineGraph(3, 3), *executor, services_);
  graph.Start();
  engine.AwaitSubmitted(3);  // nothing was released: none can be done
  EXPECT_TRUE(recorder_.Lines("out").empty());
  for (int i = 0; i < 3; ++i) engine.Release();
  EXPECT_EQ(graph.Wait().status, RunStatus::kFinished);
  EXPECT_EQ(recorder_.Lines("out").size(), 3u);
}

TEST_P(WakerTest, CancelEndsWorkThatNeverComesBack) {
  FakeEngine engine(FakeEngine::Pace::kNever);
  services_.Add(recorder_);
  services_.Add(engine);
  const auto executor = GetParam().make();
  {
    Graph graph(EngineGraph(kNumWords, 2), *executor, services_);
    graph.Start();
    engine.AwaitSubmitted(2);
    graph.Cancel();
    EXPECT_EQ(graph.Wait().status, RunStatus::kCancelled);
    EXPECT_TRUE(recorder_.Lines("out").empty());
  }
  // The engine still holds Wakers of the graph that is gone, and lets go of them now.
}

TEST_P(WakerTest, AnEngineThatLosesWorkIsReportedAsAStall) {
  FakeEngine engine(FakeEngine::Pace::kDropped);
  services_.Add(recorder_);
  services_.Add(engine);
  const auto executor = GetParam().make();
  const RunResult result = Graph(EngineGraph(1, 1), *executor, services_).Run();
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(
      result.error->message,
      "engine: the graph stands still: nothing can run and nobody will wake it; node 'back' (word.engine) has work "
      "pending at 0s, but nobody holds its Waker; node 'out' (sink.words) waits for input 'in' (0 of 8 packets, 0 of "
      "268435456 bytes, bound 0s)");
}

TEST_P(WakerTest, LettingGoOfTheLastWakerEndsTheWait) {
  FakeEngine engine(FakeEngine::Pace::kForgotten);
  int num_runs = 0;
  FunctionObserver observer([&](const TraceEvent& event) {
    // The first run submits; the word is forgotten only after it, when the graph has nothing else to do.
    if (event.kind == TraceKind::kRunEnd && event.node == "back" && num_runs++ == 0) engine.Release();
  });
  services_.Add(recorder_);
  services_.Add(engine);
  const auto executor = GetParam().make();
  GraphOptions options;
  options.observer = &observer;
  const RunResult result = Graph(EngineGraph(1, 1), *executor, services_, options).Run();
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_THAT(result.error->message, testing::HasSubstr("node 'back' (word.engine) has work pending at 0s"));
}

TEST_P(WakerTest, ASourceWithoutCreditIsNamedInTheStall) {
  FakeEngine engine(FakeEngine::Pace::kDropped);
  services_.Add(recorder_);
  services_.Add(engine);
  const auto executor = GetParam().make();
  const RunResult result = Graph(EngineGraph(5, 5, /*in_flight=*/2), *executor, services_).Run();
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_THAT(result.error->message,
              testing::HasSubstr("node 'read' (source.count) waits for a credit: 2 of 2 items are in flight"));
}

TEST_P(WakerTest, CreditsBoundTheItemsAtWork) {
  int num_sent = 0, num_done = 0, most = 0;
  FunctionObserver observer([&](const TraceEvent& event) {
    if (event.kind == TraceKind::kSent && event.node == "read") most = std::max(most, ++num_sent - num_done);
    if (event.kind == TraceKind::kRunEnd && event.node == "out") ++num_done;
  });
  FakeEngine engine(FakeEngine::Pace::kReleased);
  services_.Add(recorder_);
  services_.Add(engine);
  const auto executor = GetParam().make();
  GraphOptions options;
  options.observer = &observer;
  Graph graph(EngineGraph(20, 8, /*in_flight=*/3), *executor, services_, options);
  graph.Start();
  engine.AwaitSubmitted(3);
  for (int i = 0; i < 20; ++i) engine.Release();
  EXPECT_EQ(graph.Wait().status, RunStatus::kFinished);
  EXPECT_EQ(num_sent, 20);
  EXPECT_EQ(most, 3);
}

TEST_P(WakerTest, IsSafeAfterTheGraph) {
  Waker kept;
  Registry registry = WordRegistry();
  NodeFunctions functions;
  functions.process = [&kept](NodeContext& context) {
    kept = context.waker();
    return Process::kFinished;
  };
  RegisterFunctions(registry, WordSourceContract("source.kept"), functions);
  GraphBuilder builder("kept");
  builder.Node("read", "source.kept");
  const auto executor = GetParam().make();
  EXPECT_EQ(Graph(builder.Check(registry), *executor, services_).Run().status, RunStatus::kFinished);
  kept.Wake();
  const Waker copy = kept;
  copy.Wake();
}

INSTANTIATE_TEST_SUITE_P(All, WakerTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::graph
