// SPDX-License-Identifier: Apache-2.0
// Instances of templates that come and go while others run.
#include "tests/graph/instance_run.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;

class InstancesTest : public testing::Test, protected InstanceRun {};

TEST_F(InstancesTest, OneIsAddedToAGraphThatHasNone) {
  Start();
  EXPECT_TRUE(graph_->readiness().ready);
  Add("north", "!");
  EXPECT_THAT(graph_->instances(), ElementsAre("north"));
  hand_of("north").Give("a", 0);
  hand_of("north").Give("b", 40);
  executor_.RunAll();
  EXPECT_THAT(Words(), ElementsAre("0s a! (a)", "0.04s b! (b)"));
  const RunResult result = Drain();
  EXPECT_EQ(result.status, RunStatus::kDrained);
  ASSERT_EQ(result.nodes.size(), 4u);
  EXPECT_EQ(result.nodes[3].node, "north/add");
  EXPECT_EQ(result.nodes[3].sent, 2u);
  EXPECT_EQ(result.edges[2].edge, "north/read.out -> north/add.in");
  EXPECT_EQ(result.edges[1].edge, "north/add.out -> mix.north");
  EXPECT_EQ(result.edges[1].packets, 2u);
}

TEST_F(InstancesTest, ATimelineBeginsWhereTheOthersAre) {
  Start();
  Add("north");
  hand_of("north").Give("a", 0);
  hand_of("north").Give("b", 1000);
  executor_.RunAll();
  Add("south");
  hand_of("south").Give("c", 0);
  executor_.RunAll();
  hand_of("north").Give("d", 1500);
  hand_of("south").Give("e", 500);
  hand_of("north").Give("f", 2000);
  hand_of("south").Give("g", 1500);
  executor_.RunAll();
  // What came after the last word of north is one instant later.
  EXPECT_THAT(Words(), ElementsAre("0s a (a)", "1s b (b)", "1.000000001s c (c)", "1.5s d (d)", "1.500000001s e (e)",
                                   "2s f (f)"));
  EXPECT_EQ(Drain().num_failed_items, 0u);
  EXPECT_EQ(Words().back(), "2.500000001s g (g)");
}

TEST_F(InstancesTest, AnotherOneDoesNotHoldUpWhatIsThere) {
  Start();
  Add("north");
  Add("south");
  hand_of("north").Give("a", 0);
  hand_of("north").Give("b", 1000);
  executor_.RunAll();
  EXPECT_THAT(Words(), ElementsAre()) << "south has said nothing yet";
  Add("west");
  Remove("south");
  // West began behind b, which lay before the join.
  EXPECT_THAT(Words(), ElementsAre("0s a (a)", "1s b (b)"));
}

TEST_F(InstancesTest, WhatARemovedOneSentGoesThrough) {
  Start();
  Add("north");
  Add("south");
  hand_of("north").Give("a", 0);
  hand_of("south").Give("b", 0);
  hand_of("south").Give("c", 40);
  hand_of("south").Give("d", 80);
  executor_.RunAll();
  EXPECT_THAT(Words(), ElementsAre("0s a (a)", "0s b (b)"));
  graph_->Remove("south");
  EXPECT_THAT(graph_->instances(), ElementsAre("north", "south"));
  executor_.RunAll();
  EXPECT_THAT(graph_->instances(), ElementsAre("north", "south")) << "c and d wait for north";
  hand_of("north").Give("e", 100);
  executor_.RunAll();
  EXPECT_THAT(Words(), ElementsAre("0s a (a)", "0s b (b)", "0.04s c (c)", "0.08s d (d)", "0.1s e (e)"));
  EXPECT_THAT(graph_->instances(), ElementsAre("north"));
  EXPECT_EQ(num_alive_, 1);
  EXPECT_EQ(clock_.next(), std::nullopt) << "its deadline is still armed";
  const RunResult result = Drain();
  EXPECT_EQ(result.nodes.size(), 4u);
  ASSERT_EQ(result.removed_nodes.size(), 2u);
  EXPECT_EQ(result.removed_nodes[0].node, "words/add");
  EXPECT_EQ(result.removed_nodes[0].sent, 3u);
  ASSERT_EQ(result.removed_edges.size(), 2u);
  EXPECT_EQ(result.removed_edges[0].edge, "words/add.out -> mix.words");
  EXPECT_EQ(result.removed_edges[1].edge, "words/read.out -> words/add.in");
  EXPECT_EQ(result.removed_edges[1].packets, 3u);
}

TEST_F(InstancesTest, AThousandComeAndGoAndLeaveNothingBehind) {
  Start();
  Add("north");
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "s" + std::to_string(i % 3);
    Add(name);
    hand_of(name).Give("x", 0);
    hand_of("north").Give("y", i * 10);
    executor_.RunAll();
    Remove(name);
    ASSERT_THAT(graph_->instances(), ElementsAre("north"));
    ASSERT_EQ(num_alive_, 1);
  }
  EXPECT_EQ(clock_.next(), std::nullopt);
  const RunResult result = Drain();
  EXPECT_EQ(Words().size(), 2000u);
  EXPECT_EQ(result.num_failed_items, 0u);
  EXPECT_EQ(result.nodes.size(), 4u);
  EXPECT_EQ(result.edges.size(), 3u);
  ASSERT_EQ(result.removed_nodes.size(), 2u);
  EXPECT_EQ(result.removed_nodes[1].node, "words/read");
  EXPECT_EQ(result.removed_nodes[1].sent, 1000u);
  EXPECT_EQ(result.removed_edges.size(), 2u);
}

TEST_F(InstancesTest, ANameIsFreeAgainOnceTheInstanceIsGone) {
  Start();
  Add("north");
  hand_of("north").Give("a", 0);
  executor_.RunAll();
  Remove("north");
  EXPECT_THAT(graph_->instances(), ElementsAre());
  Add("north", "?");
  hand_of("north").Give("b", 0);
  executor_.RunAll();
  EXPECT_THAT(Words(), ElementsAre("0s a (a)", "0.000000001s b? (b)"));
}

TEST_F(InstancesTest, OneThatHasEndedStaysUntilItIsRemoved) {
  Start();
  Add("north");
  hand_of("north").Give("a", 0);
  hand_of("north").End();
  executor_.RunAll();
  EXPECT_THAT(graph_->instances(), ElementsAre("north"));
  Remove("north");
  EXPECT_THAT(graph_->instances(), ElementsAre());
  EXPECT_EQ(num_alive_, 0);
  EXPECT_EQ(Drain().status, RunStatus::kFinished);
}

TEST_F(InstancesTest, OneIsRemovedBeforeItIsOpen) {
  Start();
  hand_of("north").Give("a", 0);
  graph_->Add("words", "north", {{{"hand", {"north"}}}, {}, {}});
  graph_->Remove("north");
  graph_->Remove("north");  // it is on its way out: no effect
  executor_.RunAll();
  EXPECT_THAT(graph_->instances(), ElementsAre());
  EXPECT_TRUE(Words().empty());
  EXPECT_EQ(num_alive_, 0);
}

TEST_F(InstancesTest, OneOfTheFileIsRemovedToo) {
  Start(std::string(kInstancePipeline) + "  east: { use: words, hand: east }\n  west: { use: words, hand: west }\n");
  hand_of("east").Give("a", 0);
  hand_of("west").Give("b", 0);
  executor_.RunAll();
  Remove("east");
  hand_of("west").Give("c", 40);
  executor_.RunAll();
  EXPECT_THAT(Words(), ElementsAre("0s a (a)", "0s b (b)", "0.04s c (c)"));
  EXPECT_THAT(graph_->instances(), ElementsAre("west"));
  EXPECT_EQ(num_alive_, 1);
}

TEST_F(InstancesTest, WithoutKeepOpenTheLastInputEndsTheNode) {
  options_.keep_open = false;
  Start(std::string(kInstancePipeline) + "  east: { use: words, hand: east }\n");
  Add("north");
  hand_of("east").End();
  executor_.RunAll();
  hand_of("north").Give("a", 0);
  executor_.RunAll();
  Remove("north");
  EXPECT_EQ(graph_->Wait().status, RunStatus::kFinished);
  EXPECT_THAT(Words(), ElementsAre("0s a (a)"));
}

TEST_F(InstancesTest, TheClockGoesOnBesideANodeThatIsKeptOpen) {
  Contract contract = WordSourceContract("source.slow");
  NodeFunctions slow;
  auto num_calls = std::make_shared<int>(0);
  slow.process = [num_calls](NodeContext& context) {
    if (++*num_calls == 3) return Process::kFinished;
    context.WakeAfter(Duration::Seconds(60));
    return Process::kBlocked;
  };
  RegisterFunctions(registry_, contract, slow);
  Start(std::string(kInstancePipeline) + "  slow: { type: source.slow }\n  none: { type: sink.words, in: slow }\n");
  EXPECT_EQ(*num_calls, 3);
  EXPECT_EQ(clock_.Now(), Duration::Seconds(120));
  EXPECT_TRUE(graph_->readiness().ready) << "a graph that waits for an instance does not stand still";
}

TEST_F(InstancesTest, ALiveSourceBeginsAtTheRunClock) {
  Contract contract = WordSourceContract("source.camera");
  contract.source = SourceKind::kLive;
  Time start;
  NodeFunctions camera;
  camera.process = [&start](NodeContext& context) {
    start = context.start_time();
    return Process::kFinished;
  };
  RegisterFunctions(registry_, contract, camera);
  Start(R"(percept: 1
templates:
  camera:
    nodes: { read: { type: source.camera } }
    outputs: { frames: read }
    feeds: { mix: frames }
nodes:
  mix: { type: word.merge }
  out: { type: sink.words, in: mix }
)");
  clock_.Advance(Duration::Seconds(7));
  graph_->Add("camera", "north", {});
  executor_.RunAll();
  EXPECT_EQ(start, Time::Seconds(7));
}

TEST_F(InstancesTest, ATimelineBeginsBehindAJoinThatComesAfter) {
  Start(R"(percept: 1
templates:
  words:
    params: { hand: { type: string, required: true }, mark: { type: string, default: "" } }
    nodes: { read: { type: source.hand, hand: "${hand}" } }
    outputs: { words: read }
    feeds: { mix: words }
nodes:
  mix: { type: word.merge }
  far: { type: source.hand, hand: far }
  both: { type: word.join, in: { a: mix, b: far } }
  out: { type: sink.words, in: both }
)");
  hand_of("far").Give("x", 5000);
  executor_.RunAll();
  Add("north");
  hand_of("far").Give("y", 6000);
  hand_of("north").Give("a", 0);
  hand_of("north").Give("b", 1000);
  hand_of("far").Give("z", 7000);
  executor_.RunAll();
  const RunResult result = Drain();
  EXPECT_EQ(result.nodes[2].node, "both");
  EXPECT_EQ(result.nodes[2].unmatched, 5u) << "x, y, z, a and b are at times of their own, one instant apart";
}

TEST_F(InstancesTest, WhatARestartedNodeHadIsGoneAndTheRestGoesOn) {
  Start();
  Add("north");
  hand_of("north").Give("a", 0);
  hand_of("north").Give("broken", 10);
  hand_of("north").Give("b", 20);
  executor_.RunAll();
  EXPECT_THAT(Words(), ElementsAre("0s a (a)", "0.02s b (b)"));
  const RunResult result = Drain();
  EXPECT_EQ(result.nodes[3].restarts, 1u);
  ASSERT_EQ(result.failed_items.size(), 1u);
  EXPECT_EQ(result.failed_items[0].node, "north/add");
  EXPECT_EQ(result.failed_items[0].reason, "broken word");
}

}  // namespace
}  // namespace percept::graph
