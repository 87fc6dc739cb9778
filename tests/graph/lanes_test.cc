// SPDX-License-Identifier: Apache-2.0
// Nodes that run as several instances: what comes out is what one instance would have sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>

#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/edge_limits.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;

int WordOf(NodeContext& context) { return std::stoi(context.inputs().Get("in").Get<Word>().text); }

graph::Process PassOn(NodeContext& context) {
  context.Send("out", context.inputs().Get("in"));
  return Process::kNeedInput;
}

// Keeps a worker busy for a while that the word and a seed decide.
void Delay(int word, uint32_t seed) {
  std::atomic<uint32_t> left{(static_cast<uint32_t>(word + 1) * 0x9e3779b9u ^ seed * 0x85ebca6bu) % 8192};
  while (left.fetch_sub(1, std::memory_order_relaxed) > 1) continue;
}

// read -> node -> out, with a node made of functions in `parallel` instances.
class LanesTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  using Make = std::function<NodeFunctions()>;

  CheckedGraph CheckNode(const Make& make, int64_t parallel, int num_words) {
    registry_ = WordRegistry();
    RegisterCountingSource(registry_, num_words, /*in_flight=*/16);
    Contract contract = WordContract("word.test", {"in"}, {"out"});
    contract.parallel = true;
    registry_.Register(contract,
                       [make](const ParamValues&, const Services&) { return std::make_unique<FunctionNode>(make()); });
    GraphBuilder builder("test");
    builder.Node("read", "source.count");
    builder.Node("node", "word.test").In("read");
    builder.Node("out", "sink.record").In("node");
    CheckedGraph checked = builder.Check(registry_);
    checked.nodes[1].parallel = parallel;
    return checked;
  }
  RunResult RunNode(const Make& make, int64_t parallel, int num_words, int64_t restart_limit = 3) {
    CheckedGraph checked = CheckNode(make, parallel, num_words);
    checked.nodes[1].restart.limit = restart_limit;
    const auto executor = GetParam().make();
    return Run(checked, *executor, 0);
  }
  RunResult Run(const CheckedGraph& checked, Executor& executor, int64_t forced_full) {
    Recorder recorder;
    Services services;
    services.Add(recorder);
    GraphOptions options;
    options.clock = &clock_;
    options.forced_full = forced_full;
    RunResult result = Graph(checked, executor, services, options).Run();
    lines_ = recorder.Lines("out");
    return result;
  }

  Registry registry_;
  SimulatedClock clock_;
  std::vector<std::string> lines_;
};

// Sends, skips, refuses and breaks; two packets for one set come in two calls.
NodeFunctions Mixed(uint32_t seed) {
  auto is_second = std::make_shared<bool>(false);
  NodeFunctions functions;
  functions.process = [is_second, seed](NodeContext& context) {
    const int word = WordOf(context);
    Delay(word, seed);
    if (word % 11 == 3) throw BadInputError("three of eleven");
    if (word % 11 == 5) return Process::kNeedInput;
    if (word % 11 == 7) {
      context.SendError(ErrorKind::kNode, "seven of eleven");
      return Process::kNeedInput;
    }
    if (word == 19) throw std::runtime_error("broken at 19");
    context.Send("out", MakeWord(std::to_string(word) + (*is_second ? "b" : "a"), word));
    if (word % 11 == 9) *is_second = !*is_second;
    return *is_second ? Process::kHaveOutput : Process::kNeedInput;
  };
  return functions;
}

TEST_P(LanesTest, SendWhatOneInstanceSends) {
  for (uint32_t seed = 0; seed < 12; ++seed) {
    const Make make = [seed] { return Mixed(seed); };
    CheckedGraph checked = CheckNode(make, 1, 60);
    SetEdgeLimits(checked, {.packets = 1 + seed % 3});
    const auto executor = GetParam().make();
    ASSERT_EQ(Run(checked, *executor, 0).status, RunStatus::kFinished);
    const std::vector<std::string> expected = lines_;
    EXPECT_GT(expected.size(), 50u);
    for (const int64_t parallel : {2, 3, 8}) {
      SCOPED_TRACE(std::to_string(parallel) + " instances, seed " + std::to_string(seed));
      checked.nodes[1].parallel = parallel;
      const RunResult result = Run(checked, *executor, seed % 2 * 3);
      EXPECT_EQ(result.status, RunStatus::kFinished);
      EXPECT_EQ(lines_, expected);
      EXPECT_EQ(result.nodes[1].sets, 60u);
      EXPECT_GE(result.nodes[1].runs, 60u);
      EXPECT_EQ(result.nodes[1].restarts, 1u);
    }
  }
}

// The first set is done only when the fourth has been, and the third is refused.
TEST_P(LanesTest, AnErrorKeepsItsPlace) {
  struct Shared {
    std::mutex mutex;
    Waker first;
    bool fourth_came = false;
  };
  Shared shared;
  NodeFunctions functions;
  functions.process = [&shared](NodeContext& context) {
    const int word = WordOf(context);
    if (word == 2) throw BadInputError("no third");
    const std::lock_guard lock(shared.mutex);
    if (word == 0 && !shared.fourth_came) {
      shared.first = context.waker();
      return Process::kBlocked;
    }
    if (word == 3) {
      shared.fourth_came = true;
      std::exchange(shared.first, Waker()).Wake();
    }
    return PassOn(context);
  };
  const RunResult result = RunNode([&] { return functions; }, 4, 5);
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_THAT(lines_, ElementsAre("0s 0 (0)", "0.001s 1 (1)", "0.002s bad_input from 'node': no third (2)",
                                  "0.003s 3 (3)", "0.004s 4 (4)"));
}

TEST_P(LanesTest, SetsWaitTogether) {
  NodeFunctions functions;
  functions.process = [](NodeContext& context) {
    const Duration until = Duration::Milliseconds(100 - 10 * WordOf(context));
    if (context.Now() >= until) return PassOn(context);
    context.WakeAt(until);
    return Process::kBlocked;
  };
  EXPECT_EQ(RunNode([&] { return functions; }, 4, 4).status, RunStatus::kFinished);
  EXPECT_THAT(lines_, ElementsAre("0s 0 (0)", "0.001s 1 (1)", "0.002s 2 (2)", "0.003s 3 (3)"));
  EXPECT_EQ(clock_.Now(), Duration::Milliseconds(100));
}

TEST_P(LanesTest, ANodeThatThrowsAlwaysFailsTheGraphAtItsLimit) {
  NodeFunctions functions;
  functions.process = [](NodeContext&) -> graph::Process { throw std::runtime_error("broken"); };
  const RunResult result = RunNode([&] { return functions; }, 4, 20);
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "test: node 'node' (word.test) failed 4 times within 60s: broken");
  EXPECT_EQ(result.nodes[1].restarts, 3u);
}

TEST_P(LanesTest, TryTransientErrorsAgainInTheOrderOfTheSets) {
  std::atomic<int> num_left{2};
  NodeFunctions functions;
  functions.process = [&](NodeContext& context) {
    if (WordOf(context) == 1 && num_left.fetch_sub(1) > 0) throw TransientError("busy");
    return PassOn(context);
  };
  const RunResult result = RunNode([&] { return functions; }, 3, 4);
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(result.nodes[1].retries, 2u);
  EXPECT_EQ(result.num_failed_items, 0u);
  EXPECT_THAT(lines_, ElementsAre("0s 0 (0)", "0.001s 1 (1)", "0.002s 2 (2)", "0.003s 3 (3)"));
}

TEST_P(LanesTest, RebuildAfterADeviceErrorAndKeepTheSet) {
  std::atomic<int> num_made{0}, num_opened{0}, num_closed{0};
  std::atomic<bool> has_failed{false};
  const Make make = [&] {
    ++num_made;
    NodeFunctions functions;
    functions.open = [&](NodeContext&) {
      // The first time that an instance is made anew, the device is still away.
      if (++num_opened == 4) throw DeviceError("still lost");
    };
    functions.process = [&](NodeContext& context) {
      if (WordOf(context) == 1 && !has_failed.exchange(true)) throw DeviceError("lost");
      return PassOn(context);
    };
    functions.close = [&] { ++num_closed; };
    return functions;
  };
  const RunResult result = RunNode(make, 3, 4);
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_THAT(lines_, ElementsAre("0s 0 (0)", "0.001s 1 (1)", "0.002s 2 (2)", "0.003s 3 (3)"));
  EXPECT_EQ(result.nodes[1].restarts, 2u);
  EXPECT_EQ(num_made.load(), 5);
  EXPECT_EQ(num_closed.load(), 5);
}

TEST_P(LanesTest, EndWhereOneInstanceSaysSo) {
  NodeFunctions functions;
  functions.process = [](NodeContext& context) { return WordOf(context) == 2 ? Process::kFinished : PassOn(context); };
  EXPECT_EQ(RunNode([&] { return functions; }, 3, 50).status, RunStatus::kFinished);
  EXPECT_THAT(lines_, ElementsAre("0s 0 (0)", "0.001s 1 (1)"));
}

TEST_P(LanesTest, AreEachOpenedFlushedAndClosedOnce) {
  std::atomic<int> num_opened{0}, num_flushed{0}, num_closed{0};
  NodeFunctions functions;
  functions.open = [&](NodeContext&) { ++num_opened; };
  functions.process = PassOn;
  functions.flush = [&](NodeContext&) {
    ++num_flushed;
    return Process::kFinished;
  };
  functions.close = [&] { ++num_closed; };
  const RunResult result = RunNode([&] { return functions; }, 3, 10);
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(num_opened.load(), 3);
  EXPECT_EQ(num_flushed.load(), 3);
  EXPECT_EQ(num_closed.load(), 3);
  EXPECT_EQ(lines_.size(), 10u);
  EXPECT_EQ(result.nodes[1].runs, 11u);
}

TEST_P(LanesTest, RefuseWhatOutlivesASet) {
  NodeFunctions functions;
  functions.process = [](NodeContext& context) {
    context.Hold();
    return Process::kNeedInput;
  };
  const RunResult result = RunNode([&] { return functions; }, 2, 3, /*restart_limit=*/0);
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message,
            "test: node 'node' (word.test) failed: Hold in a node that runs in parallel: its sets are done when it "
            "gives them "
            "back");
}

TEST_P(LanesTest, FailAtAPacketThatTheOutputRefuses) {
  NodeFunctions functions;
  functions.process = [](NodeContext& context) {
    context.Send("out", Packet::Make(Number{1}, context.inputs().time()));
    return Process::kNeedInput;
  };
  const RunResult result = RunNode([&] { return functions; }, 2, 3, /*restart_limit=*/0);
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(
      result.error->message,
      "test: node 'node' (word.test) failed: output 'out' is declared as Word, but a packet of type Number was sent on "
      "it");
  functions.process = [](NodeContext& context) {
    context.Send("out", context.inputs().Get("in"));
    return PassOn(context);
  };
  EXPECT_EQ(RunNode([&] { return functions; }, 2, 3, /*restart_limit=*/0).error->reason,
            "a packet was sent on output 'out', which has no room");
}

TEST_P(LanesTest, AStallIsFoundWithAllInstancesBlocked) {
  NodeFunctions functions;
  functions.process = [](NodeContext&) { return Process::kBlocked; };
  const RunResult result = RunNode([&] { return functions; }, 2, 3);
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_THAT(result.error->message, testing::HasSubstr("node 'node' (word.test) is blocked, but nobody holds its"));
}

TEST_P(LanesTest, CancelWithAllInstancesBlocked) {
  std::latch all_busy(4);
  std::atomic<int> num_closed{0};
  std::mutex mutex;
  std::vector<Waker> wakers;
  NodeFunctions functions;
  functions.process = [&](NodeContext& context) {
    const std::lock_guard lock(mutex);
    wakers.push_back(context.waker());
    all_busy.count_down();
    return Process::kBlocked;
  };
  functions.close = [&] { ++num_closed; };
  const CheckedGraph checked = CheckNode([&] { return functions; }, 4, 20);
  const auto executor = GetParam().make();
  Services services;
  Recorder recorder;
  services.Add(recorder);
  Graph graph(checked, *executor, services);
  graph.Start();
  all_busy.wait();
  graph.Cancel();
  EXPECT_EQ(graph.Wait().status, RunStatus::kCancelled);
  EXPECT_EQ(num_closed.load(), 4);
}

INSTANTIATE_TEST_SUITE_P(Executors, LanesTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

TEST(LanesCheckTest, ReadsTheKeyAndRefusesIt) {
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 3);
  Contract contract = WordContract("word.test", {"in"}, {"out"});
  contract.parallel = true;
  RegisterFunctions(registry, contract, {});
  contract = WordContract("sink.test", {"in"}, {});
  contract.parallel = true;
  RegisterFunctions(registry, contract, {});
  const auto check = [&](const char* node, int parallel) {
    GraphBuilder builder("test");
    builder.Node("read", "source.count");
    GraphBuilder::NodeRef test = builder.Node("node", "word.test").In("read");
    GraphBuilder::NodeRef out = builder.Node("out", "sink.test").In("node");
    (node == std::string("node") ? test : out).Set("parallel", parallel);
    return builder.Check(registry);
  };
  EXPECT_EQ(check("node", 4).nodes[1].parallel, 4);
  try {
    check("out", 2);
    ADD_FAILURE() << "not refused";
  } catch (const DefinitionError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("'parallel' of node 'out' (sink.test): a sink or a node that commits "
                                                 "what it writes is one instance"));
  }
  contract.state.items = 1;
  contract.type = "sink.other";
  try {
    registry.Register(contract, {});
    ADD_FAILURE() << "not refused";
  } catch (const std::logic_error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("parallel, but a source or a node that keeps something between sets"));
  }
}

// Close comes to the node while all its instances are inside Process: each is closed when that returns.
TEST(LanesCancelTest, WaitsForTheCallsUnderWay) {
  std::latch all_busy(4), was_cancelled(1);
  std::atomic<int> num_closed{0}, num_told{0};
  NodeFunctions functions;
  functions.process = [&](NodeContext& context) {
    all_busy.count_down();
    was_cancelled.wait();
    if (context.cancelled()) ++num_told;
    return PassOn(context);
  };
  functions.close = [&] { ++num_closed; };
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 20, /*in_flight=*/16);
  RegisterFunctions(registry, WordContract("word.test", {"in"}, {"out"}), functions);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("node", "word.test").In("read");
  builder.Node("out", "sink.record").In("node");
  CheckedGraph checked = builder.Check(registry);
  checked.nodes[1].parallel = 4;
  ThreadExecutor executor({6, {}});
  Services services;
  Recorder recorder;
  services.Add(recorder);
  Graph graph(checked, executor, services);
  graph.Start();
  all_busy.wait();
  graph.Cancel();
  EXPECT_EQ(num_closed.load(), 0);
  was_cancelled.count_down();
  EXPECT_EQ(graph.Wait().status, RunStatus::kCancelled);
  EXPECT_EQ(num_told.load(), 4);
  EXPECT_EQ(num_closed.load(), 4);
  EXPECT_TRUE(recorder.All().empty());
}

}  // namespace
}  // namespace percept::graph
