// SPDX-License-Identifier: Apache-2.0
// Nodes that throw: what is tried again, what becomes an error packet, when the graph stops; and epochs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;

// read -> node -> out on a simulated clock, with a node made of functions that is made anew at every restart.
class SupervisorTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  using Make = std::function<NodeFunctions()>;

  RunResult RunNode(const Make& make, int num_words = 3, const std::function<void(CheckedNode&)>& adjust = {}) {
    Registry registry = WordRegistry();
    RegisterCountingSource(registry, num_words);
    registry.Register(WordContract("word.test", {"in"}, {"out"}),
                      [make](const ParamValues&, const Services&) { return std::make_unique<FunctionNode>(make()); });
    GraphBuilder builder("test");
    builder.Node("read", "source.count");
    builder.Node("node", "word.test").In("read");
    builder.Node("out", "sink.record").In("node");
    CheckedGraph checked = builder.Check(registry);
    if (adjust) adjust(checked.nodes[1]);
    return Run(checked);
  }
  RunResult RunSource(const NodeFunctions& functions, int64_t limit) {
    Registry registry = WordRegistry();
    RegisterFunctions(registry, WordSourceContract("source.test"), functions);
    NodeFunctions keep;
    keep.process = [this](NodeContext& context) {
      packets_.push_back(context.inputs().Get("in"));
      return Process::kNeedInput;
    };
    RegisterFunctions(registry, WordContract("sink.keep", {"in"}, {}), keep);
    GraphBuilder builder("test");
    builder.Node("read", "source.test");
    builder.Node("out", "sink.keep").In("read");
    CheckedGraph checked = builder.Check(registry);
    checked.nodes[0].retry.limit = limit;
    return Run(checked);
  }
  RunResult Run(const CheckedGraph& checked) {
    Services services;
    services.Add(recorder_);
    const auto executor = GetParam().make();
    GraphOptions options;
    options.clock = &clock_;
    Graph graph(checked, *executor, services, options);
    graph_ = &graph;
    return graph.Run();
  }
  static graph::Process PassOn(NodeContext& context) {
    if (!context.inputs().empty()) context.Send("out", context.inputs().Get("in"));
    return Process::kNeedInput;
  }

  Recorder recorder_;
  std::vector<Packet> packets_;  // that the sink of RunSource got
  SimulatedClock clock_;
  Graph* graph_ = nullptr;
};

TEST_P(SupervisorTest, ATransientErrorIsTriedAgainWithGrowingWaits) {
  std::vector<int64_t> times_ms;
  std::string reason;
  const RunResult result = RunNode([&] {
    NodeFunctions functions;
    functions.process = [&](NodeContext& context) {
      if (context.inputs().time() != Time::Milliseconds(1)) return PassOn(context);
      times_ms.push_back(context.Now().nanoseconds() / 1000000);
      if (times_ms.size() > 1) reason = graph_->readiness().reason;
      if (times_ms.size() < 4) throw TransientError("no route to host");
      return PassOn(context);
    };
    return functions;
  });
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(recorder_.Lines("out").size(), 3u);
  EXPECT_EQ(result.num_failed_items, 0u);
  EXPECT_EQ(result.nodes[1].retries, 3u);
  ASSERT_EQ(times_ms.size(), 4u);
  for (int i = 0; i < 3; ++i) {
    const int64_t wait_ms = times_ms[i + 1] - times_ms[i];
    EXPECT_GE(wait_ms, 150 << i);
    EXPECT_LE(wait_ms, 250 << i);
  }
  EXPECT_THAT(reason,
              testing::MatchesRegex("node 'node' \\(word.test\\) waits [0-9]+ms to try again: no route to host"));
}

TEST_P(SupervisorTest, BeyondTheLimitASetBecomesAnErrorAndTheNodeGoesOn) {
  std::string reason = "not asked";
  const RunResult result = RunNode(
      [&] {
        NodeFunctions functions;
        functions.process = [&](NodeContext& context) {
          if (context.inputs().time() == Time::Milliseconds(1)) throw TransientError("server refused");
          if (context.inputs().time() == Time::Milliseconds(2)) reason = graph_->readiness().reason;
          return PassOn(context);
        };
        return functions;
      },
      3, [](CheckedNode& node) { node.retry.limit = 2; });
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_THAT(recorder_.Lines("out"),
              ElementsAre("0s 0 (0)", "0.001s transient from 'node': server refused (1)", "0.002s 2 (2)"));
  EXPECT_EQ(result.nodes[1].retries, 2u);
  EXPECT_EQ(reason, "");  // it no longer waits
}

TEST_P(SupervisorTest, ANodeThatThrowsEveryThirdItemIsMadeAnewEachTime) {
  std::atomic<int> num_made{0}, num_closed{0}, num_seen{0};
  const RunResult result = RunNode(
      [&] {
        ++num_made;
        NodeFunctions functions;
        functions.process = [&](NodeContext& context) {
          if (!context.inputs().empty() && ++num_seen % 3 == 0) throw std::runtime_error("third");
          return PassOn(context);
        };
        functions.close = [&] { ++num_closed; };
        return functions;
      },
      9);
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_THAT(recorder_.Lines("out"),
              ElementsAre("0s 0 (0)", "0.001s 1 (1)", "0.002s node from 'node': third (2)", "0.003s 3 (3)",
                          "0.004s 4 (4)", "0.005s node from 'node': third (5)", "0.006s 6 (6)", "0.007s 7 (7)",
                          "0.008s node from 'node': third (8)"));
  EXPECT_EQ(result.num_failed_items, 3u);
  EXPECT_EQ(result.nodes[1].restarts, 3u);
  EXPECT_EQ(num_made, 4);
  EXPECT_EQ(num_closed, 4);
}

TEST_P(SupervisorTest, ANodeThatThrowsAlwaysStopsTheGraphBeyondItsLimit) {
  const RunResult result = RunNode(
      [] {
        NodeFunctions functions;
        functions.process = [](NodeContext&) -> graph::Process { throw std::runtime_error("broken"); };
        return functions;
      },
      100);
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "test: node 'node' (word.test) failed 4 times within 60s: broken");
  EXPECT_EQ(result.num_failed_items, 3u);
}

TEST_P(SupervisorTest, FailuresOutsideTheWindowAreForgotten) {
  const RunResult result = RunNode(
      [] {
        NodeFunctions functions;
        functions.process = [waited = false](NodeContext& context) mutable {
          if (!waited) {
            waited = true;
            context.WakeAfter(Duration::Seconds(61));
            return Process::kBlocked;
          }
          throw std::runtime_error("once a minute");
        };
        return functions;
      },
      10, [](CheckedNode& node) { node.restart.limit = 1; });
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(result.num_failed_items, 10u);
}

TEST_P(SupervisorTest, PendingWorkOfAFailedNodeIsNotLost) {
  const RunResult result = RunNode([] {
    NodeFunctions functions;
    auto held = std::make_shared<std::vector<Pending>>();
    functions.process = [held](NodeContext& context) {
      if (context.inputs().empty()) return Process::kNeedInput;
      if (context.inputs().time() == Time::Milliseconds(2)) throw std::runtime_error("lost its engine");
      held->push_back(context.Hold());
      return Process::kNeedInput;
    };
    return functions;
  });
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_THAT(recorder_.Lines("out"),
              ElementsAre("0s node from 'node': lost its engine (0)", "0.001s node from 'node': lost its engine (1)",
                          "0.002s node from 'node': lost its engine (2)"));
}

TEST_P(SupervisorTest, ASetThatItsOwnCallHeldFailsOnce) {
  const RunResult result = RunNode([] {
    NodeFunctions functions;
    auto held = std::make_shared<std::vector<Pending>>();
    functions.process = [held](NodeContext& context) {
      if (context.inputs().empty()) return Process::kNeedInput;
      held->push_back(context.Hold());
      if (context.inputs().time() == Time::Milliseconds(1)) throw std::runtime_error("lost its engine");
      context.Send("out", context.inputs().Get("in"));
      held->clear();
      return Process::kNeedInput;
    };
    return functions;
  });
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_THAT(recorder_.Lines("out"),
              ElementsAre("0s 0 (0)", "0.001s node from 'node': lost its engine (1)", "0.002s 2 (2)"));
}

TEST_P(SupervisorTest, ADeviceErrorRebuildsTheNodeAndKeepsTheSet) {
  auto num_made = std::make_shared<int>(0);
  const RunResult result = RunNode([num_made] {
    const int number = (*num_made)++;
    NodeFunctions functions;
    functions.open = [number](NodeContext&) {
      if (number == 1) throw DeviceError("still out of memory");
    };
    functions.process = [number](NodeContext& context) {
      if (number == 0 && context.inputs().time() == Time::Milliseconds(1)) throw DeviceError("out of memory");
      return PassOn(context);
    };
    return functions;
  });
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_THAT(recorder_.Lines("out"), ElementsAre("0s 0 (0)", "0.001s 1 (1)", "0.002s 2 (2)"));
  EXPECT_EQ(*num_made, 3);
  EXPECT_EQ(result.nodes[1].restarts, 2u);
  EXPECT_GE(clock_.Now(), Duration::Milliseconds(150 + 300));
}

TEST_P(SupervisorTest, AReopenedNodeThatCannotOpenStopsTheGraph) {
  auto num_made = std::make_shared<int>(0);
  const RunResult result = RunNode([num_made] {
    const int number = (*num_made)++;
    NodeFunctions functions;
    functions.open = [number](NodeContext&) {
      if (number == 1) throw std::runtime_error("no model");
    };
    functions.process = [](NodeContext&) -> graph::Process { throw std::runtime_error("broken"); };
    return functions;
  });
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "test: node 'node' (word.test) failed: no model");
}

TEST_P(SupervisorTest, ASourceThatReconnectsStartsAnEpochAfterAGap) {
  NodeFunctions functions;
  functions.process = [calls = 0](NodeContext& context) mutable {
    ++calls;
    if (calls == 2 || calls == 3) throw TransientError("camera gone");
    if (calls == 5) return Process::kFinished;
    context.NewItem(std::to_string(calls));
    context.Send("out", MakeWord("w", calls));
    return Process::kHaveOutput;
  };
  EXPECT_EQ(RunSource(functions, /*limit=*/0).status, RunStatus::kFinished);
  const std::vector<Packet>& packets = packets_;
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[0].origin().epoch, 0);
  EXPECT_FALSE(packets[0].has(Packet::kGap));
  EXPECT_GT(packets[1].origin().epoch, 0);
  EXPECT_TRUE(packets[1].has(Packet::kGap));
  EXPECT_TRUE(packets[1].has(Packet::kDiscontinuity));
}

TEST_P(SupervisorTest, ASourceFailsTheGraphBeyondItsLimit) {
  NodeFunctions functions;
  functions.process = [](NodeContext&) -> graph::Process { throw TransientError("camera gone"); };
  const RunResult result = RunSource(functions, /*limit=*/2);
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "test: node 'read' (source.test) failed 3 times in a row: camera gone");
}

TEST_P(SupervisorTest, AnEpochStartsAtTheLaterOfTheBoundAndTheTimeAskedFor) {
  std::vector<Time> starts;
  NodeFunctions functions;
  functions.process = [&](NodeContext& context) {
    if (starts.empty()) {
      EXPECT_EQ(context.start_time(), Time::Nanoseconds(0));
      context.Send("out", MakeWord("a", 10));
      starts.push_back(context.StartEpoch(Time::Milliseconds(5)));
      return Process::kHaveOutput;
    }
    if (starts.size() == 1) {
      starts.push_back(context.StartEpoch(Time::Milliseconds(50)));
      context.Send("out", MakeWord("b", 50));
      context.CountRepair("reordered", 2);
      context.CountRepair("reordered", 1);
      return Process::kHaveOutput;
    }
    context.Send("out", MakeWord("c", 60));
    return Process::kFinished;
  };
  const RunResult result = RunSource(functions, 0);
  EXPECT_THAT(starts, ElementsAre(Time::Milliseconds(10).Next(), Time::Milliseconds(50)));
  const std::vector<Packet>& packets = packets_;
  ASSERT_EQ(packets.size(), 3u);
  EXPECT_EQ(packets[0].origin().epoch, 0);
  EXPECT_GT(packets[1].origin().epoch, 0);
  EXPECT_TRUE(packets[1].has(Packet::kDiscontinuity));
  EXPECT_EQ(packets[2].origin().epoch, packets[1].origin().epoch);
  EXPECT_FALSE(packets[2].has(Packet::kDiscontinuity));
  EXPECT_EQ(result.nodes[0].repairs.at("reordered"), 3u);
}

INSTANTIATE_TEST_SUITE_P(All, SupervisorTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::graph
