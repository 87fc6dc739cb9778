// SPDX-License-Identifier: Apache-2.0
// What edges must hold where branches of which one is slow to fill meet again, and how many items sources have at work.
#include "graph/config/fan_out.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <random>
#include <string>
#include <string_view>

#include "graph/config/bounded_sum.h"
#include "graph/config/graph_builder.h"
#include "graph/config/structure.h"
#include "graph/run/graph.h"
#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

constexpr int kNumWords = 400;  // of RandomGraphsThatPassDoNotStandStill, a millisecond apart
const Time kLast = Time::Milliseconds(kNumWords - 1);

// Keeps `count` words, fewer at the last one, and then sends them on one a call, each at its own time: what it keeps is
// only seen as a wait.
class HoldNode : public Node {
 public:
  explicit HoldNode(size_t count) : count_(count) {}
  graph::Process Process(NodeContext& context) override {
    if (!context.inputs().empty() && context.inputs().Get("in").origin().trace_id != taken_) Take(context);
    if (!releasing_) return graph::Process::kNeedInput;
    return Release(context);
  }
  void Close() override { kept_.clear(); }

 private:
  struct Kept {
    Packet packet;
    Pending pending;
  };
  void Take(NodeContext& context) {
    taken_ = context.inputs().Get("in").origin().trace_id;
    kept_.push_back({context.inputs().Get("in"), context.Hold()});
    releasing_ = kept_.size() >= count_ || kept_.back().packet.timestamp() == kLast;
  }
  graph::Process Release(NodeContext& context) {
    context.Send("out", kept_.front().packet, kept_.front().pending);
    kept_.erase(kept_.begin());
    if (!kept_.empty()) return graph::Process::kHaveOutput;
    releasing_ = false;
    return graph::Process::kNeedInput;
  }

  const size_t count_;
  uint64_t taken_ = 0;
  bool releasing_ = false;
  std::vector<Kept> kept_;
};

// word.hold keeps `items` packets back, word.fill `time` of them; word.thin says how far its outputs are apart.
Registry HoldingRegistry() {
  Registry registry = WordRegistry();
  Contract hold = WordContract("word.hold", {"in"}, {"out"});
  hold.params = {{.name = "items", .type = ParamType::kInt, .doc = "Kept.", .required = true},
                 {.name = "max_wait", .type = ParamType::kDuration, .doc = "Kept at most."}};
  const auto make_hold = [](const ParamValues& p, const Services&) {
    return std::make_unique<HoldNode>(static_cast<size_t>(p.Get<int64_t>("items")));
  };
  const auto hold_timing = [](const ParamValues& p) {
    Timing timing{.holds_items = p.Get<int64_t>("items"), .keeps_credits = true};
    if (p.Has("max_wait")) timing.max_wait = p.Get<Duration>("max_wait");
    return timing;
  };
  registry.Register({.contract = hold, .make = make_hold, .timing = hold_timing});
  Contract many = WordContract("word.many", {"in"}, {"out"});
  many.parallel = true;
  RegisterWordNode<JoinNode>(registry, many);
  Contract fill = WordContract("word.fill", {"in"}, {"out"});
  fill.params = {{.name = "time", .type = ParamType::kDuration, .doc = "Kept.", .required = true}};
  const auto make = [](const ParamValues&, const Services&) { return std::make_unique<JoinNode>(); };
  registry.Register({.contract = fill, .make = make, .timing = [](const ParamValues& p) {
                       return Timing{.holds_time = p.Get<Duration>("time")};
                     }});
  Contract pend = fill;
  pend.type = "word.pend";  // as word.fill, with its items' credits
  registry.Register({.contract = pend, .make = make, .timing = [](const ParamValues& p) {
                       return Timing{.holds_time = p.Get<Duration>("time"), .keeps_credits = true};
                     }});
  Contract thin = fill;
  thin.type = "word.thin";
  registry.Register({.contract = thin, .make = make, .timing = [](const ParamValues& p) {
                       return Timing{.interval = p.Get<Duration>("time")};
                     }});
  return registry;
}

CheckedGraph CheckNodes(const std::string& nodes, const std::string& top = "") {
  return Check(
      ParsePipeline("percept: 1\n" + top + "nodes:\n  read: { type: source.script, script: [] }\n" + nodes, "p.yaml"),
      HoldingRegistry());
}

std::string FaultOf(const std::string& nodes, const std::string& top = "") {
  try {
    CheckNodes(nodes, top);
  } catch (const DefinitionError& error) {
    return error.what();
  }
  return "";
}

std::string Joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

const EdgeLimits& LimitsOf(const CheckedGraph& graph, const std::string& name) {
  for (const CheckedEdge& edge : graph.edges) {
    if (graph.EdgeName(edge) == name) return edge.limits;
  }
  throw std::logic_error("no edge " + name);
}

TEST(FanOutTest, AnOpenEdgeIsSizedForTheItemsThatTheOtherBranchKeeps) {
  const CheckedGraph graph = CheckNodes(
      "  hold: { type: word.hold, in: read, items: 30 }\n"
      "  more: { type: word.hold, in: hold, items: 2 }\n"
      "  both: { type: word.join, in: { a: more, b: read } }\n");
  EXPECT_EQ(LimitsOf(graph, "read.out -> both.b").packets, 91u);  // 30, then two packets of 30
  EXPECT_EQ(LimitsOf(graph, "more.out -> both.a").packets, 8u);
  EXPECT_EQ(LimitsOf(graph, "read.out -> hold.in").packets, 8u);
}

TEST(FanOutTest, BranchesThatKeepTheSameNeedNothing) {
  const CheckedGraph graph = CheckNodes(
      "  one:  { type: word.hold, in: read, items: 30 }\n"
      "  two:  { type: word.hold, in: read, items: 20 }\n"
      "  both: { type: word.join, in: { a: one, b: two } }\n");
  EXPECT_EQ(LimitsOf(graph, "one.out -> both.a").packets, 8u);
  EXPECT_EQ(LimitsOf(graph, "two.out -> both.b").packets, 11u);
}

TEST(FanOutTest, AnOpenEdgeIsSizedForTheMediaTimeThatTheOtherBranchKeeps) {
  const CheckedGraph graph = CheckNodes(
      "  fill: { type: word.fill, in: read, time: 60s }\n"
      "  both: { type: word.join, in: { a: fill, b: read } }\n");
  const EdgeLimits& limits = LimitsOf(graph, "read.out -> both.b");
  EXPECT_EQ(limits.time, Duration::Seconds(60));
  EXPECT_EQ(limits.packets, 1'000'000u);
  // Items that come at known intervals are media time.
  const CheckedGraph thin = CheckNodes(
      "  thin: { type: word.thin, in: read, time: 2s }\n"
      "  hold: { type: word.hold, in: thin, items: 10 }\n"
      "  both: { type: word.join, in: { a: hold, b: read } }\n");
  EXPECT_EQ(LimitsOf(thin, "read.out -> both.b").time, Duration::Seconds(20));
}

TEST(FanOutTest, WhatIsKeptIsBoundedHoweverManyNodesKeepIt) {
  // 30 nodes of 1,000 items each: 10^90 of them, and as many seconds where they are one apart.
  std::string chain;
  std::string last = "thin";
  for (int i = 0; i < 30; ++i) {
    const std::string name = "hold" + std::to_string(i);
    chain += Joined({"  ", name, ": { type: word.hold, in: ", last, ", items: 1000 }\n"});
    last = name;
  }
  const std::string end = Joined({chain, "  both: { type: word.join, in: { a: ", last, ", b: read } }\n"});
  const CheckedGraph items = CheckNodes("  thin: { type: word.append, in: read }\n" + end);
  EXPECT_EQ(LimitsOf(items, "read.out -> both.b").packets, static_cast<size_t>(kMostItems) + 1);
  EXPECT_EQ(StructureOf(items).delays.at(0).items, kMostItems);
  const CheckedGraph time = CheckNodes("  thin: { type: word.thin, in: read, time: 1s }\n" + end);
  EXPECT_EQ(LimitsOf(time, "read.out -> both.b").time, kMostTime);
  EXPECT_EQ(StructureOf(time).delays.at(0).windows, kMostTime);
}

TEST(FanOutTest, RefusesAStatedLimitThatIsTooSmall) {
  EXPECT_EQ(
      FaultOf("  hold: { type: word.hold, in: read, items: 30 }\n"
              "  both: { type: word.join, in: { a: hold, b: { from: read, packets: 4 } } }\n"),
      "p.yaml:5:69: edge read.out -> both.b holds 4 packets, but 31 wait on it while 'hold' fills: write packets: "
      "31 or more, or leave it out");
  EXPECT_EQ(FaultOf("  fill: { type: word.fill, in: read, time: 60s }\n"
                    "  both: { type: word.join, in: { a: fill, b: { from: read, time: 2s } } }\n"),
            "p.yaml:5:66: edge read.out -> both.b holds 2s, but 60s wait on it while 'fill' fills: write time: 60s or "
            "more, or leave it out");
  EXPECT_EQ(
      FaultOf("  fill: { type: word.fill, in: read, time: 60s }\n"
              "  thin: { type: word.thin, in: read, time: 2s }\n"
              "  both: { type: word.join, in: { a: fill, b: { from: thin, packets: 30 } } }\n"),
      "p.yaml:6:69: edge thin.out -> both.b holds 30 packets, but 32 wait on it while 'fill' fills: write packets: "
      "32 or more, or leave it out");
  EXPECT_EQ(FaultOf("  hold: { type: word.hold, in: read, items: 30 }\n"
                    "  both: { type: word.join, in: { a: hold, b: { from: read, packets: 4, policy: latest } } }\n"),
            "");
}

TEST(FanOutTest, RefusesPacketsWhereThatDependsOnHowOftenTheyCome) {
  const auto nodes = [](const std::string& packets) {
    return "  fill: { type: word.fill, in: read, time: 60s }\n"
           "  both: { type: word.join, in: { a: fill, b: { from: read, packets: " +
           packets + " } } }\n";
  };
  EXPECT_EQ(FaultOf(nodes("100")),
            "p.yaml:5:69: edge read.out -> both.b holds 100 packets, but all that comes in 60s waits on it while "
            "'fill' fills, however often that is: leave packets out");
  EXPECT_EQ(FaultOf(nodes("1000000")), "");  // as many as it holds where they are left out
}

TEST(FanOutTest, RefusesBytesThatHoldTooFewPacketsOfNothing) {
  const auto nodes = [](const std::string& bytes) {
    return "  hold: { type: word.hold, in: read, items: 30 }\n"
           "  both: { type: word.join, in: { a: hold, b: { from: read, bytes: " +
           bytes +
           " } } }\n"
           "  out: { type: sink.words, in: both }\n";
  };
  const size_t least = 31 * kLeastPacketBytes;
  const std::string num = std::to_string(least), fewer = std::to_string(least - 1);
  EXPECT_EQ(FaultOf(nodes(fewer)), "p.yaml:5:67: edge read.out -> both.b holds " + fewer +
                                       " bytes, but 31 packets wait on it while 'hold' fills, which take " + num +
                                       " bytes and what is in them: write bytes: " + num + " or more, or leave it out");
  EXPECT_THAT(CheckNodes(nodes(num)).warnings,
              testing::ElementsAre("p.yaml:5:67: edge read.out -> both.b holds " + num +
                                   " bytes, but 31 packets wait on it while 'hold' fills: leave bytes out, or the "
                                   "graph stands still where they take more than " +
                                   std::to_string(kLeastPacketBytes) + " bytes each"));
  const auto window = [](const std::string& bytes) {
    return "  fill: { type: word.fill, in: read, time: 60s }\n"
           "  both: { type: word.join, in: { a: fill, b: { from: read, bytes: " +
           bytes +
           " } } }\n"
           "  out: { type: sink.words, in: both }\n";
  };
  EXPECT_EQ(
      FaultOf(window("1MiB")),
      "p.yaml:5:67: edge read.out -> both.b holds 1MiB, but all that comes in 60s waits on it while 'fill' fills, "
      "however much that is: leave bytes out");
  EXPECT_THAT(CheckNodes(window("1GiB")).warnings, testing::IsEmpty());
}

TEST(FanOutTest, ANearestJoinWaitsForItsTolerance) {
  const auto nodes = [](const std::string& a, const std::string& more) {
    return "  some: { type: word.append, in: read }\n"
           "  both: { type: word.join, in: { a: " +
           a + ", b: some }, join: { kind: nearest, tolerance: 2s" + more +
           " } }\n"
           "  out: { type: sink.words, in: both }\n";
  };
  const CheckedGraph open = CheckNodes(nodes("read", ""));
  EXPECT_EQ(LimitsOf(open, "read.out -> both.a").time, Duration::Seconds(2));
  EXPECT_EQ(LimitsOf(open, "read.out -> both.a").packets, 1'000'000u);
  EXPECT_EQ(LimitsOf(open, "some.out -> both.b").packets, 8u);
  EXPECT_EQ(FaultOf(nodes("{ from: read, packets: 8 }", "")),
            "p.yaml:5:60: edge read.out -> both.a holds 8 packets, but all that comes in 2s waits on it while 'both' "
            "looks for the nearest, however often that is: leave packets out");
  EXPECT_THAT(CheckNodes(nodes("{ from: read, packets: 8 }", ", max_wait: 1s")).warnings,
              testing::ElementsAre("p.yaml:5:60: edge read.out -> both.a holds 8 packets, but all that comes in 2s "
                                   "waits on it where 'both' waits for its max_wait, however often that is: leave "
                                   "packets out"));
}

TEST(FanOutTest, TwoSourcesThatMeetTwiceWaitForEachOther) {
  const std::string more = "  more: { type: source.script, script: [] }\n";
  const std::string once = more +
                           "  fill: { type: word.fill, in: more, time: 60s }\n"
                           "  both: { type: word.join, in: { a: fill, b: { from: read, packets: 4 } } }\n";
  EXPECT_EQ(FaultOf(once), "");  // one of them waits, the other goes on
  EXPECT_EQ(FaultOf(once + "  also: { type: word.join, in: { a: more, b: read } }\n"),
            "p.yaml:6:69: edge read.out -> both.b holds 4 packets, but all that comes in 60s waits on it while 'fill' "
            "fills, however often that is: leave packets out");
  const std::string held = more +
                           "  hold: { type: word.hold, in: more, items: 30 }\n"
                           "  also: { type: word.join, in: { a: more, b: read } }\n"
                           "  both: { type: word.join, in: { a: hold, b: ";
  EXPECT_EQ(
      FaultOf(held + "{ from: read, packets: 40 } } }\n"),
      "p.yaml:7:69: edge read.out -> both.b holds 40 packets, but how much waits on it while 'hold' fills depends "
      "on how often each source sends: leave packets out");
  EXPECT_EQ(LimitsOf(CheckNodes(held + "read } }\n"), "read.out -> both.b").packets, 1'000'000u);
}

TEST(FanOutTest, WhatGoesOnAfterAWhileOnlySlowsASmallEdge) {
  const std::string hold = "  hold: { type: word.hold, in: read, items: 30, max_wait: 2s }\n";
  const CheckedGraph open = CheckNodes(hold + "  both: { type: word.join, in: { a: hold, b: read } }\n");
  EXPECT_EQ(LimitsOf(open, "read.out -> both.b").packets, 31u);
  const CheckedGraph stated = CheckNodes(hold +
                                         "  both: { type: word.join, in: { a: hold, b: { from: read, packets: 4 } } }\n"
                                         "  out: { type: sink.words, in: both }\n");
  EXPECT_EQ(LimitsOf(stated, "read.out -> both.b").packets, 4u);
  EXPECT_THAT(stated.warnings,
              testing::ElementsAre("p.yaml:5:69: edge read.out -> both.b holds 4 packets, but 31 wait on it where "
                                   "'hold' waits for its max_wait: write packets: 31 or more, or leave it out"));
  EXPECT_EQ(open.nodes[0].in_flight, 4);  // what is kept for a while only needs no credits of its own
}

TEST(FanOutTest, InstancesHaveSetsAtWork) {
  const std::string many = "  many: { type: word.many, in: read, parallel: 12 }\n";
  const CheckedGraph open = CheckNodes(many + "  both: { type: word.join, in: { a: many, b: read } }\n");
  EXPECT_EQ(LimitsOf(open, "read.out -> both.b").packets, 13u);
  EXPECT_EQ(open.nodes[0].in_flight, 12);
  const CheckedGraph stated = CheckNodes(many +
                                         "  both: { type: word.join, in: { a: many, b: { from: read, packets: 4 } } }\n"
                                         "  out: { type: sink.words, in: both }\n");
  EXPECT_THAT(stated.warnings,
              testing::ElementsAre("p.yaml:5:69: edge read.out -> both.b holds 4 packets, but 13 wait on it while all "
                                   "12 instances of 'many' work: write packets: 13 or more, or leave it out"));
  // The sets at work count like edges: one edge, and twelve sets of two edges each.
  const CheckedGraph shared =
      CheckNodes(many + "  out: { type: sink.words, in: many }\n", "limits: { host_bytes: 14MiB }\n");
  EXPECT_EQ(LimitsOf(shared, "read.out -> many.in").bytes, size_t{1} << 20);
  EXPECT_EQ(
      FaultOf("  many: { type: word.many, in: { from: read, bytes: 1MiB }, parallel: 12 }\n",
              "limits: { host_bytes: 12MiB }\n"),
      "p.yaml:2:23: host_bytes is 12582912 bytes, but 13631488 are needed: edge read.out -> many.in 13631488: write "
      "host_bytes: 13631488 or more, or leave it out");
}

TEST(FanOutTest, ItemsBeforeAWindowMayBeFarApart) {
  const std::string nodes =
      "  hold: { type: word.hold, in: read, items: 5 }\n"
      "  fill: { type: word.fill, in: hold, time: 2s }\n";
  const CheckedGraph open = CheckNodes(nodes + "  both: { type: word.join, in: { a: fill, b: read } }\n");
  EXPECT_EQ(LimitsOf(open, "read.out -> both.b").time, Duration());
  EXPECT_EQ(LimitsOf(open, "read.out -> both.b").packets, 1'000'000u);
  EXPECT_EQ(FaultOf(nodes + "  both: { type: word.join, in: { a: fill, b: { from: read, time: 9s } } }\n"),
            "p.yaml:6:66: edge read.out -> both.b holds 9s, but 6 packets wait on it while 'fill' fills, however far "
            "apart: leave time out");
}

TEST(CreditsTest, SourcesHaveAsManyItemsAtWorkAsNodesKeep) {
  const auto in_flight = [](const std::string& nodes) { return CheckNodes(nodes).nodes[0].in_flight; };
  EXPECT_EQ(in_flight("  one: { type: word.hold, in: read, items: 30 }\n"
                      "  two: { type: word.hold, in: one, items: 20 }\n"
                      "  ten: { type: word.hold, in: read, items: 10 }\n"),
            49);
  EXPECT_EQ(in_flight("  fill: { type: word.fill, in: read, time: 60s }\n"), 4);
  EXPECT_EQ(in_flight("  pend: { type: word.pend, in: read, time: 60s }\n"), 1'000'000);
  EXPECT_EQ(in_flight("  thin: { type: word.thin, in: read, time: 2s }\n"
                      "  pend: { type: word.pend, in: thin, time: 60s }\n"),
            32);
}

TEST(CreditsTest, RefusesTooFewItemsInFlight) {
  const auto fault = [](int in_flight) {
    return "  more: { type: source.script, script: [], in_flight: " + std::to_string(in_flight) +
           " }\n"
           "  hold: { type: word.hold, in: more, items: 30 }\n";
  };
  EXPECT_EQ(FaultOf(fault(8)),
            "p.yaml:4:55: in_flight of source 'more' (source.script) is 8, but 30 items are at work before node 'hold' "
            "(word.hold) hands any on, which keeps their credits: write in_flight: 30 or more, or leave it out");
  EXPECT_EQ(FaultOf(fault(30)), "");
}

TEST(CreditsTest, WarnsWhereItemsMayBeTooFew) {
  const CheckedGraph graph = CheckNodes(
      "  more: { type: source.script, script: [], in_flight: 8 }\n"
      "  pend: { type: word.pend, in: more, time: 60s }\n"
      "  many: { type: word.many, in: pend, parallel: 12 }\n"
      "  out: { type: sink.words, in: many }\n"
      "  all: { type: sink.words, in: read }\n");
  EXPECT_THAT(graph.warnings,
              testing::ElementsAre(
                  "p.yaml:4:55: in_flight of source 'more' (source.script) is 8, but node 'pend' (word.pend) keeps the "
                  "credits of what comes in 60s: leave in_flight out, or the graph stands still where more comes in "
                  "that time",
                  "p.yaml:4:55: in_flight of source 'more' (source.script) is 8, which leaves some of the 12 instances "
                  "of node 'many' (word.many) idle: write in_flight: 12 or more, or leave it out"));
}

TEST(CreditsTest, OneItemFewerStandsStill) {
  Registry registry = HoldingRegistry();
  RegisterCountingSource(registry, kNumWords);
  GraphBuilder builder("credits");
  builder.Node("read", "source.count");
  builder.Node("one", "word.hold").In("read").Set("items", 30);
  builder.Node("out", "sink.record").In("one");
  CheckedGraph checked = builder.Check(registry);
  EXPECT_EQ(checked.nodes[0].in_flight, 30);
  for (const RunStatus expected : {RunStatus::kFinished, RunStatus::kFailed}) {
    Recorder recorder;
    Services services;
    services.Add(recorder);
    const auto executor = MakeExecutorCase<ThreadExecutor>("Threads", 2).make();
    EXPECT_EQ(Graph(checked, *executor, services).Run().status, expected) << checked.nodes[0].in_flight;
    --checked.nodes[0].in_flight;
  }
}

// Every way through it is one of 2^60: a check that followed each of them would not end.
TEST(FanOutTest, ALadderOfForksIsNoWorkForEachWay) {
  std::string nodes, last = "read";
  for (int i = 0; i < 60; ++i) {
    const std::string n = std::to_string(i);
    nodes += Joined({"  a", n, ": { type: word.hold, in: ", last, ", items: 2 }\n"});
    nodes += Joined({"  b", n, ": { type: word.fill, in: ", last, ", time: 1s }\n"});
    nodes += Joined({"  j", n, ": { type: word.join, in: { a: a", n, ", b: b", n, " } }\n"});
    last = "j" + n;
  }
  const CheckedGraph graph = CheckNodes(nodes);
  EXPECT_EQ(graph.nodes[0].in_flight, 61);
  EXPECT_EQ(LimitsOf(graph, "a59.out -> j59.a").packets, 1'000'000u);
  EXPECT_EQ(LimitsOf(graph, "a0.out -> j0.a").time, Duration::Seconds(1));
}

TEST(FanOutTest, SharesHostBytes) {
  const std::string nodes =
      "  one: { type: word.append, in: { from: read, bytes: 1MiB } }\n"
      "  two: { type: word.append, in: one }\n"
      "  out: { type: sink.words, in: two }\n";
  const CheckedGraph graph = CheckNodes(nodes, "limits: { host_bytes: 3MiB }\n");
  EXPECT_EQ(LimitsOf(graph, "read.out -> one.in").bytes, size_t{1} << 20);
  EXPECT_EQ(LimitsOf(graph, "one.out -> two.in").bytes, size_t{1} << 20);
  EXPECT_EQ(LimitsOf(CheckNodes(nodes, "limits: { host_bytes: 2GiB }\n"), "one.out -> two.in").bytes,
            size_t{256} << 20);
  const std::string least = std::to_string(kLeastPacketBytes);
  const std::string needed = std::to_string((1 << 20) + 2 * kLeastPacketBytes);
  EXPECT_EQ(FaultOf(nodes, "limits: { host_bytes: 1MiB }\n"),
            "p.yaml:2:23: host_bytes is 1048576 bytes, but " + needed +
                " are needed: edge read.out -> one.in 1048576, edge one.out -> two.in at least " + least +
                ", edge two.out -> out.in at least " + least + ": write host_bytes: " + needed +
                " or more, or leave it out");
  EXPECT_EQ(FaultOf(nodes, "limits: { host_bytes: " + needed + " }\n"), "");
}

TEST(FanOutTest, HostBytesLeaveWhatMustWaitAtLeastItsPackets) {
  const std::string nodes =
      "  hold: { type: word.hold, in: read, items: 30 }\n"
      "  both: { type: word.join, in: { a: hold, b: read } }\n"
      "  out: { type: sink.words, in: both }\n";
  const std::string least = std::to_string(34 * kLeastPacketBytes);  // 31 and three edges
  const std::string fewer = std::to_string(34 * kLeastPacketBytes - 1), one = std::to_string(kLeastPacketBytes);
  EXPECT_EQ(FaultOf(nodes, "limits: { host_bytes: " + fewer + " }\n"),
            "p.yaml:2:23: host_bytes is " + fewer + " bytes, but " + least +
                " are needed: edge read.out -> both.b at least " + std::to_string(31 * kLeastPacketBytes) +
                ", edge read.out -> hold.in at least " + one + ", edge hold.out -> both.a at least " + one +
                ", 1 more at least " + one + ": write host_bytes: " + least + " or more, or leave it out");
  const CheckedGraph graph = CheckNodes(nodes, "limits: { host_bytes: " + least + " }\n");
  EXPECT_EQ(LimitsOf(graph, "read.out -> both.b").bytes, 31 * kLeastPacketBytes);
  EXPECT_THAT(graph.warnings, testing::ElementsAre("p.yaml:2:23: host_bytes leaves edge read.out -> both.b " +
                                                   std::to_string(31 * kLeastPacketBytes) +
                                                   " bytes: the graph stands still where what waits on it takes more"));
}

// A layered graph of forks, nodes that hold packets back, and joins of two.
CheckedGraph RandomGraph(uint32_t seed, const Registry& registry) {
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  GraphBuilder builder("random");
  builder.Node("n0", "source.count");
  const size_t num_nodes = 3 + below(10);
  std::vector<bool> is_read(num_nodes + 1, false);
  for (size_t i = 1; i <= num_nodes; ++i) {
    const std::string name = "n" + std::to_string(i);
    const size_t first = below(i), second = below(i);
    is_read[first] = true;
    if (below(2) == 0) {
      builder.Node(name, "word.hold").In("n" + std::to_string(first)).Set("items", static_cast<int>(1 + below(12)));
    } else {
      is_read[second] = true;
      builder.Node(name, "word.join").In("a", "n" + std::to_string(first)).In("b", "n" + std::to_string(second));
    }
  }
  for (size_t i = 0; i <= num_nodes; ++i) {
    if (!is_read[i]) builder.Node("s" + std::to_string(i), "sink.record").In("n" + std::to_string(i));
  }
  return builder.Check(registry);
}

TEST(FanOutTest, RandomGraphsThatPassDoNotStandStill) {
  Registry registry = HoldingRegistry();
  RegisterCountingSource(registry, kNumWords);
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const CheckedGraph checked = RandomGraph(seed, registry);
    Recorder recorder;
    Services services;
    services.Add(recorder);
    const auto executor = MakeExecutorCase<ThreadExecutor>("Threads", 1 + static_cast<int>(seed % 3)).make();
    const RunResult result = Graph(checked, *executor, services).Run();
    EXPECT_EQ(result.status, RunStatus::kFinished) << "seed " << seed << ": " << result.error->message;
  }
}

}  // namespace
}  // namespace percept::graph
