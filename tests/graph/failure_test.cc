// SPDX-License-Identifier: Apache-2.0
// A node fails for good while another branch has work under way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;

// read -> slow -> out, where `slow` takes a second for each of four words, beside other -> bad, where `bad` throws once
// half a second is over: by then all four words are under way.
class FailureTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  RunResult Run(Duration drain_after_failure, bool fails = true) {
    Registry registry = WordRegistry();
    RegisterCountingSource(registry, 4);
    registry.Register(WordContract("word.slow", {"in"}, {"out"}), [](const ParamValues&, const Services&) {
      NodeFunctions functions;
      functions.process = [until = std::optional<Duration>()](NodeContext& context) mutable {
        if (context.inputs().empty()) return Process::kNeedInput;
        if (!until) until = context.Now() + Duration::Seconds(1);
        if (context.Now() < *until) {
          context.WakeAt(*until);
          return Process::kBlocked;
        }
        until.reset();
        context.Send("out", context.inputs().Get("in"));
        return Process::kNeedInput;
      };
      return std::make_unique<FunctionNode>(functions);
    });
    NodeFunctions sink;
    sink.process = [this](NodeContext& context) {
      if (!context.inputs().empty()) words_.push_back(context.inputs().Get("in").Get<Word>().text);
      return Process::kNeedInput;
    };
    sink.flush = [this](NodeContext& context) {
      run_failed_ = context.run_failed();
      return Process::kFinished;
    };
    RegisterFunctions(registry, WordContract("sink.keep", {"in"}, {}), sink);
    NodeFunctions bad;
    bad.process = [fails](NodeContext& context) {
      const Duration half = Duration::Milliseconds(500);
      if (!fails) return Process::kFinished;
      if (context.Now() >= half) throw std::runtime_error("camera unplugged");
      context.WakeAt(half);
      return Process::kBlocked;
    };
    RegisterFunctions(registry, WordSourceContract("source.bad"), bad);
    GraphBuilder builder("test");
    builder.Node("read", "source.count");
    builder.Node("slow", "word.slow").In("read");
    builder.Node("out", "sink.keep").In("slow");
    builder.Node("bad", "source.bad");
    CheckedGraph checked = builder.Check(registry);
    checked.nodes[3].restart.limit = 0;
    GraphOptions options;
    options.clock = &clock_;
    options.drain_after_failure = drain_after_failure;
    const auto executor = GetParam().make();
    Services services;
    return Graph(checked, *executor, services, options).Run();
  }

  SimulatedClock clock_;
  std::vector<std::string> words_;
  std::optional<bool> run_failed_;
};

TEST_P(FailureTest, WhatIsUnderWayGoesThroughToTheSinksWhichAreTold) {
  const RunResult result = Run(Duration::Seconds(10));
  EXPECT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "test: node 'bad' (source.bad) failed: camera unplugged");
  EXPECT_THAT(words_, ElementsAre("0", "1", "2", "3"));
  EXPECT_EQ(run_failed_, true);
  EXPECT_EQ(result.num_lost_items, 0u);
}

TEST_P(FailureTest, ButForABoundedTimeAndWhatIsLostIsCounted) {
  const RunResult result = Run(Duration::Seconds(2));  // until 2.5s
  EXPECT_EQ(result.error->message, "test: node 'bad' (source.bad) failed: camera unplugged");
  EXPECT_THAT(words_, ElementsAre("0", "1"));
  EXPECT_EQ(result.num_lost_items, 2u);
}

TEST_P(FailureTest, OrNotAtAll) {
  const RunResult result = Run(Duration());
  EXPECT_EQ(result.error->message, "test: node 'bad' (source.bad) failed: camera unplugged");
  EXPECT_THAT(words_, ElementsAre());
  EXPECT_EQ(run_failed_, std::nullopt);
  EXPECT_EQ(result.num_lost_items, 4u);
}

TEST_P(FailureTest, ARunThatDoesNotFailTellsItsSinksSo) {
  EXPECT_EQ(Run(Duration::Seconds(10), /*fails=*/false).status, RunStatus::kFinished);
  EXPECT_EQ(run_failed_, false);
}

INSTANTIATE_TEST_SUITE_P(Executors, FailureTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::graph
