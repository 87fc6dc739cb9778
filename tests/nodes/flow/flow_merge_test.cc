// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/nodes/flow/flow_case.h"

namespace percept::nodes {
namespace {

using graph::Duration;
using graph::Time;
using testing::ElementsAre;

TEST(FlowMergeTest, OrdersByTimeAndThenByInput) {
  graph::NodeHarness all = FlowNode("all: { type: flow.merge, in: { north: a.out, south: b.out } }");
  EXPECT_EQ(all.node().contract.outputs[0].type, "Text");
  all.Push("south", TextAt("s1", 10));
  all.Push("south", TextAt("s2", 20));
  EXPECT_THAT(all.Take(), ElementsAre());
  all.Push("north", TextAt("n1", 15));
  all.Push("north", TextAt("n2", 20));
  EXPECT_THAT(DescribeAll(all.Take()), ElementsAre("0.01s s1", "0.015s n1", "0.02s n2", "0.02s s2"));
  EXPECT_EQ(all.Finish().status, graph::RunStatus::kFinished);
}

TEST(FlowMergeTest, PassesErrorsOnInTheirPlace) {
  graph::NodeHarness all = FlowNode("all: { type: flow.merge, in: { north: a.out, south: b.out } }");
  all.PushError("north", "cut short", Time::Milliseconds(5), "n.png");
  all.Push("south", TextAt("s", 5));
  all.End();
  EXPECT_THAT(DescribeAll(all.Take()), ElementsAre("0.005s error: cut short", "0.005s s"));
}

TEST(FlowMergeTest, WaitsForASilentInputNoLongerThanItIsTold) {
  graph::NodeHarness all = FlowNode("all: { type: flow.merge, in: { north: a.out, south: b.out }, max_wait: 100ms }");
  all.Push("north", TextAt("n", 5));
  all.Advance(Duration::Milliseconds(99));
  EXPECT_THAT(all.Take(), ElementsAre());
  all.Advance(Duration::Milliseconds(1));
  EXPECT_THAT(DescribeAll(all.Take()), ElementsAre("0.005s n"));
}

TEST(FlowMergeTest, GoesOnWhereAFullOutputStoppedIt) {
  graph::NodeHarness all = FlowNode("all: { type: flow.merge, in: { north: a.out, south: b.out } }");
  all.HoldBack();
  for (int i = 0; i < 30; ++i) {
    all.Push("north", TextAt("n" + std::to_string(i), i));
    all.Push("south", TextAt("s" + std::to_string(i), i));
  }
  all.End();
  all.Release();
  const std::vector<graph::Packet> sent = all.Take();
  ASSERT_EQ(sent.size(), 60u);
  for (size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(sent[i].Get<Text>().text, (i % 2 == 0 ? "n" : "s") + std::to_string(i / 2));
  }
}

TEST(FlowMergeTest, RefusesStreamsOfDifferentTypes) {
  EXPECT_EQ(RefusalOf("all: { type: flow.merge, in: { north: a.out, south: c.out } }"),
            "the inputs of node 'all' (flow.merge) must be of one type: 'north' is Text, 'south' is "
            "Image");
}

}  // namespace
}  // namespace percept::nodes
