// SPDX-License-Identifier: Apache-2.0
// A graph whose own callers wait for it: an error at once, not a wait without end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

constexpr const char* kReason = "Graph::Wait or ~Graph was called by what the graph itself called";

// Calls `act` with every word.
CheckedGraph ActingGraph(const std::function<void()>& act) {
  Registry registry;
  RegisterCountingSource(registry, 1);
  NodeFunctions end;
  end.process = [act](NodeContext& context) {
    if (!context.inputs().empty()) act();
    return Process::kNeedInput;
  };
  RegisterFunctions(registry, WordContract("end", {"in"}, {}), end);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("end", "end").In("read");
  return builder.Check(registry);
}

class SelfWaitTest : public testing::TestWithParam<ExecutorCase> {};

TEST_P(SelfWaitTest, AWaitInANodeFailsTheNode) {
  const auto executor = GetParam().make();
  std::unique_ptr<Graph> graph;
  graph = std::make_unique<Graph>(ActingGraph([&] { graph->Wait(); }), *executor, Services());
  const RunResult result = graph->Run();
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->node, "end");
  EXPECT_THAT(result.error->reason, testing::StartsWith(kReason));
}

TEST_P(SelfWaitTest, AnotherGraphMayBeWaitedFor) {
  const auto executor = GetParam().make();
  ThreadExecutor inner_executor({1, {}});
  int num_words = 0;
  Graph inner(ActingGraph([&] { ++num_words; }), inner_executor, Services());
  const RunResult result = Graph(ActingGraph([&] { inner.Run(); }), *executor, Services()).Run();
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(num_words, 1);
}

TEST_P(SelfWaitTest, AWaitInASourceOnAThreadOfItsOwnFailsTheSource) {
  const auto executor = GetParam().make();
  std::unique_ptr<Graph> graph;
  Registry registry = WordRegistry();
  Contract contract = WordSourceContract("source.waits");
  contract.own_thread = true;
  NodeFunctions waits;
  waits.process = [&](NodeContext&) {
    graph->Wait();
    return Process::kFinished;
  };
  RegisterFunctions(registry, contract, waits);
  GraphBuilder builder("test");
  builder.Node("read", "source.waits");
  builder.Node("out", "sink.words").In("read");
  Recorder recorder;
  Services services;
  services.Add(recorder);
  graph = std::make_unique<Graph>(builder.Check(registry), *executor, services);
  const RunResult result = graph->Run();
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->node, "read");
  EXPECT_THAT(result.error->reason, testing::StartsWith(kReason));
}

INSTANTIATE_TEST_SUITE_P(Executors, SelfWaitTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

TEST(SelfWaitDeathTest, TheEndOfTheGraphInANodeEndsTheProgramWithAWord) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto destroy_within = [] {
    const auto executor = AllExecutors().front().make();
    std::unique_ptr<Graph> graph;
    graph = std::make_unique<Graph>(ActingGraph([&] { graph.reset(); }), *executor, Services());
    graph->Run();
  };
  EXPECT_DEATH(destroy_within(), kReason);
}

}  // namespace
}  // namespace percept::graph
