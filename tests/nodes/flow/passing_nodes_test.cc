// SPDX-License-Identifier: Apache-2.0
// flow.sample, flow.limit, flow.filter, flow.tee and flow.throttle: what goes on, what is dropped, and when it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "tests/nodes/flow/flow_case.h"

namespace percept::nodes {
namespace {

using graph::Duration;
using graph::Packet;
using graph::Time;
using testing::ElementsAre;

Packet InEpoch(Packet packet, int64_t epoch) {
  graph::Origin origin;
  origin.epoch = epoch;
  return std::move(packet).WithOrigin(std::move(origin)).WithFlag(Packet::kDiscontinuity);
}

void PushEach(graph::NodeHarness& node, const std::vector<int64_t>& times_ms) {
  for (const int64_t ms : times_ms) node.Push("in", TextAt("p" + std::to_string(ms), ms), "item");
}

TEST(FlowSampleTest, PicksByMediaTimeFromTheFirstPacketOn) {
  graph::NodeHarness pick = FlowNode("pick: { type: flow.sample, in: a.out, every: 100ms }");
  PushEach(pick, {30, 70, 129, 130, 140, 400, 420, 430});
  EXPECT_THAT(DescribeAll(pick.Take()), ElementsAre("0.03s p30", "0.13s p130", "0.4s p400", "0.43s p430"));
  EXPECT_EQ(pick.node().timing.interval, Duration::Milliseconds(100));
}

TEST(FlowSampleTest, PicksOneOutOfSoMany) {
  graph::NodeHarness pick = FlowNode("pick: { type: flow.sample, in: a.out, nth: 3 }");
  PushEach(pick, {0, 1, 2, 3, 4, 5, 6});
  EXPECT_THAT(DescribeAll(pick.Take()), ElementsAre("0s p0", "0.003s p3", "0.006s p6"));
}

TEST(FlowSampleTest, StartsAnewInAnEpochAndPassesErrors) {
  graph::NodeHarness pick = FlowNode("pick: { type: flow.sample, in: a.out, every: 1s }");
  PushEach(pick, {0, 10});
  pick.PushError("in", "torn", Time::Milliseconds(20));
  pick.Push("in", InEpoch(TextAt("again", 30), 1));
  EXPECT_THAT(DescribeAll(pick.Take()), ElementsAre("0s p0", "0.02s error: torn", "0.03s again"));
}

TEST(FlowSampleTest, ForwardsBoundsOfWhatItDrops) {
  graph::NodeHarness pick = FlowNode("pick: { type: flow.sample, in: a.out, every: 1s }");
  PushEach(pick, {0, 500});
  EXPECT_EQ(pick.BoundOf(), Time::Milliseconds(500).Next());
}

TEST(FlowSampleTest, NeedsOneOfItsParameters) {
  EXPECT_EQ(RefusalOf("pick: { type: flow.sample, in: a.out }"), "node 'pick' (flow.sample) needs 'every' or 'nth'");
  EXPECT_EQ(RefusalOf("pick: { type: flow.sample, in: a.out, every: 1s, nth: 2 }"),
            "'nth' and 'every' both say which packets go on: leave one out");
  EXPECT_EQ(RefusalOf("pick: { type: flow.sample, in: a.out, nth: 0 }"), "'nth' is 0, outside its range: 1 or more");
}

TEST(FlowLimitTest, EndsAfterSoManyPackets) {
  graph::NodeHarness few = FlowNode("few: { type: flow.limit, in: a.out, count: 2 }");
  PushEach(few, {0});
  few.PushError("in", "torn", Time::Milliseconds(1));
  EXPECT_NE(few.BoundOf(), Time::Max());
  PushEach(few, {2});
  EXPECT_EQ(few.BoundOf(), Time::Max());
  PushEach(few, {3});
  EXPECT_THAT(DescribeAll(few.Take()), ElementsAre("0s p0", "0.001s error: torn", "0.002s p2"));
  EXPECT_EQ(few.Finish().status, graph::RunStatus::kFinished);
}

TEST(FlowLimitTest, EndsAfterSoMuchMediaTimeAcrossEpochs) {
  graph::NodeHarness few = FlowNode("few: { type: flow.limit, in: a.out, time: 50ms }");
  PushEach(few, {10, 20});
  few.Push("in", InEpoch(TextAt("again", 59), 1));
  EXPECT_NE(few.BoundOf(), Time::Max());
  few.Push("in", TextAt("late", 60));
  EXPECT_EQ(few.BoundOf(), Time::Max());
  EXPECT_THAT(DescribeAll(few.Take()), ElementsAre("0.01s p10", "0.02s p20", "0.059s again"));
}

TEST(FlowLimitTest, NeedsALimit) {
  EXPECT_EQ(RefusalOf("few: { type: flow.limit, in: a.out }"), "node 'few' (flow.limit) needs 'count', 'time' or both");
}

TEST(FlowFilterTest, HandsOnWhatTheConditionHoldsFor) {
  graph::NodeHarness hot = FlowNode("hot: { type: flow.filter, in: a.out, when: { field: heat, above: 5 } }");
  hot.Push("in", NumberAt("a", "heat", 6, 0));
  hot.Push("in", NumberAt("b", "heat", 5, 1));
  hot.PushError("in", "torn", Time::Milliseconds(2));
  hot.Push("in", TextAt("c", 3));
  hot.Push("in", NumberAt("d", "heat", 9, 4));
  EXPECT_THAT(
      DescribeAll(hot.Take()),
      ElementsAre("0s a", "0.002s error: torn", "0.003s error: a packet of type Text has no field 'heat'", "0.004s d"));
}

TEST(FlowFilterTest, ForgetsTheLastEpochAndMarksWhatGoesOnFirst) {
  graph::NodeHarness hot = FlowNode("hot: { type: flow.filter, in: a.out, when: { field: heat, changed: true } }");
  hot.Push("in", NumberAt("a", "heat", 1, 0));
  hot.Push("in", NumberAt("b", "heat", 2, 1));
  hot.Push("in", InEpoch(NumberAt("c", "heat", 3, 2), 1));
  graph::Packet next = InEpoch(NumberAt("d", "heat", 4, 3), 1);
  graph::Origin origin = next.origin();
  hot.Push("in", NumberAt("d", "heat", 4, 3).WithOrigin(std::move(origin)));
  const std::vector<Packet> out = hot.Take();
  EXPECT_THAT(DescribeAll(out), ElementsAre("0.001s b", "0.003s d"));
  EXPECT_FALSE(out[0].has(Packet::kDiscontinuity));
  EXPECT_TRUE(out[1].has(Packet::kDiscontinuity));
}

TEST(FlowFilterTest, RefusesAConditionThatIsNone) {
  EXPECT_EQ(RefusalOf("hot: { type: flow.filter, in: a.out, when: { field: heat, above: warm } }"),
            "'above' must be a number, found 'warm'");
}

TEST(FlowTeeTest, HandsEverythingOn) {
  graph::NodeHarness all = FlowNode("all: { type: flow.tee, in: a.out }");
  all.PushMore("in", TextAt("a", 0));
  all.Push("in", TextAt("b", 0));
  all.PushError("in", "torn", Time::Milliseconds(1), "x.png");
  EXPECT_THAT(DescribeAll(all.Take()), ElementsAre("0s a", "0s b", "0.001s error: torn"));
  EXPECT_EQ(all.node().contract.outputs.front().type, "Text");
}

TEST(FlowThrottleTest, HandsOnOneAnIntervalOfTheRunClock) {
  graph::NodeHarness calm = FlowNode("calm: { type: flow.throttle, in: a.out, interval: 1s }");
  PushEach(calm, {0, 1});
  calm.Advance(Duration::Milliseconds(999));
  PushEach(calm, {2});
  calm.Advance(Duration::Milliseconds(1));
  PushEach(calm, {3, 4});
  calm.PushError("in", "torn", Time::Milliseconds(5));
  calm.Push("in", InEpoch(TextAt("again", 6), 1));
  EXPECT_THAT(DescribeAll(calm.Take()), ElementsAre("0s p0", "0.003s p3", "0.005s error: torn", "0.006s again"));
  EXPECT_EQ(calm.BoundOf(), Time::Milliseconds(6).Next());
}

TEST(FlowThrottleTest, NeedsItsInterval) {
  EXPECT_EQ(RefusalOf("calm: { type: flow.throttle, in: a.out }"),
            "node 'calm' (flow.throttle) lacks its parameter 'interval' (duration)");
}

}  // namespace
}  // namespace percept::nodes
