// SPDX-License-Identifier: Apache-2.0
// Graphs under conditions that make others stall, grow or lose packets without a word.
#include <gtest/gtest.h>

#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/edge_limits.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

constexpr int kNumWords = 100;

// What a word of the counting source takes, with its item.
size_t BytesOfEach() { return WordBytes(1) + Item("", 0, nullptr).bytes(); }

class HostileTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  HostileTest() {
    services_.Add(recorder_);
    services_.Add(engine_);
    RegisterCountingSource(registry_, kNumWords, /*in_flight=*/8);
  }

  // A node `word.window` over windows of 30 ms: sends how many packets each has.
  void RegisterWindow(const StateBound& state) {
    Contract contract = WordContract("word.window", {"in"}, {"out"});
    contract.state = state;
    registry_.Register({.contract = contract,
                        .make =
                            [](const ParamValues&, const Services&) {
                              NodeFunctions functions;
                              functions.process = [](NodeContext& context) {
                                const InputSet& set = context.inputs();
                                std::string text = std::to_string(set.All("in").size());
                                if (set.partial()) text += " partial";
                                context.Send("out", Packet::Make(Word{text, 1}, set.time()));
                                return Process::kNeedInput;
                              };
                              return std::make_unique<FunctionNode>(functions);
                            },
                        .join =
                            [](const ParamValues&) {
                              return JoinSpec{.kind = JoinKind::kWindow,
                                              .duration = Duration::Milliseconds(30),
                                              .hop = Duration::Milliseconds(30)};
                            }});
  }

  RunResult Run(const CheckedGraph& checked, GraphOptions options = {}) {
    const auto executor = GetParam().make();
    return Graph(checked, *executor, services_, std::move(options)).Run();
  }
  // The limits of the edge from one node to another.
  static EdgeLimits& LimitsOf(CheckedGraph& checked, const std::string& from, const std::string& to) {
    for (CheckedEdge& edge : checked.edges) {
      if (checked.nodes[edge.from_node].name == from && checked.nodes[edge.to_node].name == to) return edge.limits;
    }
    throw std::logic_error("no such edge");
  }
  static const NodeCounts& CountsOf(const RunResult& result, const std::string& node) {
    for (const NodeCounts& counts : result.nodes) {
      if (counts.node == node) return counts;
    }
    throw std::logic_error("no such node");
  }

  Registry registry_ = WordRegistry();
  Recorder recorder_;
  FakeEngine engine_{FakeEngine::Pace::kFree};
  Services services_;
};

TEST_P(HostileTest, ADropOnOneOfTwoBranchesDoesNotHoldTheJoin) {
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("slow", "word.engine").In("read").Set("depth", 1);
  builder.Node("fast", "word.append").In("read");
  builder.Node("both", "word.join").In("a", "slow").In("b", "fast");
  builder.Node("out", "sink.words").In("both");
  for (const DropPolicy policy : {DropPolicy::kDropOldest, DropPolicy::kDropNewest, DropPolicy::kLatest}) {
    CheckedGraph checked = builder.Check(registry_);
    EdgeLimits& limits = LimitsOf(checked, "read", "slow");
    limits.packets = 1;
    limits.policy = policy;
    const RunResult result = Run(checked);
    ASSERT_EQ(result.status, RunStatus::kFinished) << result.error->message;
    uint64_t num_dropped = 0;
    for (const EdgeCounts& edge : result.edges) {
      for (const auto& [reason, num] : edge.drops) {
        EXPECT_EQ(edge.edge, "read.out -> slow.in") << reason;
        num_dropped += num;
      }
    }
    EXPECT_EQ(CountsOf(result, "both").unmatched, num_dropped);
    EXPECT_EQ(CountsOf(result, "both").sets + num_dropped, static_cast<uint64_t>(kNumWords));
  }
}

TEST_P(HostileTest, DropsAreTraced) {
  std::atomic<int> num_traced{0};
  FunctionObserver observer([&](const TraceEvent& event) {
    if (event.kind != TraceKind::kDropped) return;
    EXPECT_EQ(event.node, "read");
    EXPECT_EQ(event.edge, "read.out -> out.in");
    EXPECT_EQ(event.reason, "latest");
    ++num_traced;
  });
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("out", "sink.words").In("read");
  CheckedGraph checked = builder.Check(registry_);
  SetEdgeLimits(checked, {.policy = DropPolicy::kLatest});
  GraphOptions options;
  options.observer = &observer;
  const RunResult result = Run(checked, options);
  const auto& drops = result.edges[0].drops;
  EXPECT_EQ(num_traced, drops.count("latest") ? static_cast<int>(drops.at("latest")) : 0);
  EXPECT_EQ(CountsOf(result, "out").sets + static_cast<uint64_t>(num_traced), static_cast<uint64_t>(kNumWords));
}

TEST_P(HostileTest, AWindowMayHoldMoreItemsThanAreInFlight) {
  RegisterWindow({31, 0, {}});
  GraphBuilder builder("test");
  builder.Node("read", "source.count").Set("in_flight", 8);
  builder.Node("win", "word.window").In("read");
  builder.Node("out", "sink.words").In("win");
  const RunResult result = Run(builder.Check(registry_));
  ASSERT_EQ(result.status, RunStatus::kFinished) << result.error->message;
  EXPECT_EQ(recorder_.Lines("out"),
            (std::vector<std::string>{"0s 30 (0)", "0.03s 30 (30)", "0.06s 30 (60)", "0.09s 10 partial (90)"}));
  EXPECT_GE(CountsOf(result, "win").peak_state_items, 30u);
}

TEST_P(HostileTest, AWindowThatOutgrowsItsBoundStopsTheGraph) {
  RegisterWindow({20, 0, {}});
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("win", "word.window").In("read");
  const RunResult result = Run(builder.Check(registry_));
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "test: node 'win' (word.window) failed: it keeps 20 items of " +
                                       std::to_string(20 * BytesOfEach()) + " bytes; one more of " +
                                       std::to_string(BytesOfEach()) + " bytes would pass its state bound of 20 items");
}

TEST_P(HostileTest, TwoBranchesOfWhichOneGoesThroughAWindowMeet) {
  RegisterWindow({31, 0, {}});
  GraphBuilder builder("test");
  builder.Node("read", "source.count").Set("in_flight", 2);
  builder.Node("win", "word.window").In("read");
  builder.Node("both", "word.join").In("a", "win").In("b", "read");
  builder.Node("out", "sink.words").In("both");
  CheckedGraph checked = builder.Check(registry_);
  LimitsOf(checked, "read", "both").packets = 40;
  const RunResult result = Run(checked);
  ASSERT_EQ(result.status, RunStatus::kFinished) << result.error->message;
  EXPECT_EQ(recorder_.Lines("out").size(), 4u);
  EXPECT_EQ(CountsOf(result, "both").unmatched, static_cast<uint64_t>(kNumWords) - 4);
}

TEST_P(HostileTest, SetsAcrossANewEpochOfOneSourceCarryIt) {
  // One of two sources begins anew at 20 ms.
  const auto source = [](int64_t new_epoch_ms) {
    NodeFunctions functions;
    functions.process = [new_epoch_ms, ms = int64_t{0}](NodeContext& context) mutable {
      if (ms == 50) return Process::kFinished;
      Origin origin;
      origin.epoch = ms >= new_epoch_ms ? 1 : 0;
      context.NewItem(std::to_string(ms));
      context.Send("out", MakeWord("w", ms).WithOrigin(origin));
      ms += 10;
      return Process::kHaveOutput;
    };
    return functions;
  };
  Registry registry = WordRegistry();
  RegisterFunctions(registry, WordSourceContract("source.anew"), source(20));
  RegisterFunctions(registry, WordSourceContract("source.steady"), source(1000));
  std::vector<int64_t> epochs;
  NodeFunctions sink;
  sink.process = [&](NodeContext& context) {
    epochs.push_back(context.inputs().Get("in").origin().epoch);
    return Process::kNeedInput;
  };
  RegisterFunctions(registry, WordContract("sink.epochs", {"in"}, {}), sink);
  GraphBuilder builder("test");
  builder.Node("one", "source.anew");
  builder.Node("two", "source.steady");
  builder.Node("both", "word.join").In("a", "one").In("b", "two");
  builder.Node("out", "sink.epochs").In("both");
  EXPECT_EQ(Run(builder.Check(registry)).status, RunStatus::kFinished);
  EXPECT_EQ(epochs, (std::vector<int64_t>{0, 0, 1, 1, 1}));
}

TEST_P(HostileTest, MaxWaitEndsOnTheRunClock) {
  // One source sends at once, the other says nothing for ten seconds.
  NodeFunctions silent;
  silent.process = [is_first = true](NodeContext& context) mutable {
    if (!std::exchange(is_first, false)) return Process::kFinished;
    context.WakeAfter(Duration::Seconds(10));
    return Process::kBlocked;
  };
  RegisterFunctions(registry_, WordSourceContract("source.silent"), silent);
  std::vector<std::string> came;
  NodeFunctions sink;
  sink.process = [&](NodeContext& context) {
    came.push_back(context.inputs().Get("in").Get<Word>().text + " at " +
                   Time::Nanoseconds(context.Now().nanoseconds()).ToString());
    return Process::kNeedInput;
  };
  RegisterFunctions(registry_, WordContract("sink.timed", {"in"}, {}), sink);
  GraphBuilder builder("test");
  builder.Node("read", "source.script")
      .Set("script",
           Value::List({Value::Map({{"at", {}, Value::Scalar("0", {})}, {"word", {}, Value::Scalar("w", {})}}, {})},
                       {}));
  builder.Node("silent", "source.silent");
  builder.Node("both", "word.join").In("a", "read").In("b", "silent");
  builder.Node("out", "sink.timed").In("both");
  CheckedGraph checked = builder.Check(registry_);
  checked.nodes[2].join.max_wait = Duration::Seconds(1);
  checked.nodes[2].join.need_all = false;
  SimulatedClock clock;
  GraphOptions options;
  options.clock = &clock;
  ASSERT_EQ(Run(checked, options).status, RunStatus::kFinished);
  EXPECT_EQ(came, (std::vector<std::string>{"w+ at 1s"}));
  EXPECT_EQ(clock.Now(), Duration::Seconds(10));
}

TEST_P(HostileTest, ACacheThatKeepsEveryPayloadStopsTheGraph) {
  Contract contract = WordContract("sink.cache", {"in"}, {});
  contract.state.bytes = static_cast<int64_t>(5 * BytesOfEach());
  auto kept = std::make_shared<std::unique_ptr<KeptPackets>>();
  NodeFunctions functions;
  functions.open = [kept](NodeContext& context) { *kept = std::make_unique<KeptPackets>(context.state()); };
  functions.process = [kept](NodeContext& context) {
    (*kept)->Push(context.inputs().Get("in"));
    return Process::kNeedInput;
  };
  functions.close = [kept] { kept->reset(); };
  RegisterFunctions(registry_, contract, functions);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("cache", "sink.cache").In("read");
  const RunResult result = Run(builder.Check(registry_));
  ASSERT_EQ(result.status, RunStatus::kFailed);
  const std::string kept_bytes = std::to_string(5 * BytesOfEach());
  EXPECT_EQ(result.error->reason, "it keeps 5 items of " + kept_bytes + " bytes; one more of " +
                                      std::to_string(BytesOfEach()) + " bytes would pass its state bound of " +
                                      kept_bytes + " bytes");
  EXPECT_EQ(CountsOf(result, "cache").peak_state_bytes, 5 * BytesOfEach());
}

// Letters that an edge cannot hold before a join that needs them all: of a live source, the oldest go.
TEST_P(HostileTest, AStalledLiveGraphDropsTheOldest) {
  NodeFunctions source;
  source.process = [](NodeContext& context) {
    context.Send("out", MakeWord("hello", 0));
    return Process::kFinished;
  };
  RegisterFunctions(registry_, WordSourceContract("source.hello"), source);
  GraphBuilder builder("test");
  builder.Node("read", "source.hello");
  builder.Node("spell", "word.spell").In("read");
  builder.Node("join", "word.join").In("a", "spell.delta").In("b", "spell.record");
  builder.Node("out", "sink.words").In("join");
  CheckedGraph checked = builder.Check(registry_);
  SetEdgeLimits(checked, {.packets = 2});
  checked.nodes[0].contract.source = SourceKind::kLive;
  const RunResult result = Run(checked);
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(recorder_.Lines("out"), std::vector<std::string>{"0s o+hello"});
  for (const EdgeCounts& edge : result.edges) {
    using Drops = std::map<std::string, uint64_t>;
    EXPECT_EQ(edge.drops, edge.edge == "spell.delta -> join.a" ? Drops({{"stall", 4}}) : Drops()) << edge.edge;
  }
}

INSTANTIATE_TEST_SUITE_P(All, HostileTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

TEST(EdgePolicyTest, AFullEdgeThatFailsStopsItsProducer) {
  Registry registry = WordRegistry();
  NodeFunctions functions;
  functions.process = [](NodeContext& context) {
    context.NewItem("x");
    context.Send("out", MakeWord("a", 0));
    context.Send("out", MakeWord("b", 1));  // with one worker, nobody has taken the first
    return Process::kFinished;
  };
  RegisterFunctions(registry, WordSourceContract("source.two"), functions);
  GraphBuilder builder("test");
  builder.Node("read", "source.two");
  builder.Node("out", "sink.words").In("read");
  CheckedGraph checked = builder.Check(registry);
  SetEdgeLimits(checked, {.packets = 1, .bytes = 10, .policy = DropPolicy::kFail});
  ThreadExecutor executor({1, {}});
  Recorder recorder;
  Services services;
  services.Add(recorder);
  const RunResult result = Graph(checked, executor, services).Run();
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message,
            "test: node 'read' (source.two) failed: edge read.out -> out.in is full (1 of 1 packets, " +
                std::to_string(BytesOfEach()) + " of 10 bytes, bound 0.000000001s) and its policy is to fail");
}

}  // namespace
}  // namespace percept::graph
