// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/nodes/flow/flow_case.h"

namespace percept::nodes {
namespace {

using graph::Duration;
using graph::Time;
using testing::ElementsAre;

TEST(FlowBatchTest, MakesListsOfItsSize) {
  graph::NodeHarness some = FlowNode("some: { type: flow.batch, in: a.out, size: 2 }");
  EXPECT_EQ(some.node().contract.outputs[0].type, "Text[]");
  for (int ms : {0, 1, 2, 3, 4}) some.Push("in", TextAt(std::to_string(ms), ms));
  EXPECT_THAT(DescribeAll(some.Take()), ElementsAre("0.001s [0 1]", "0.003s [2 3]"));
  EXPECT_EQ(some.BoundOf(), Time::Milliseconds(4));
  EXPECT_EQ(some.Finish().status, graph::RunStatus::kFinished);
  EXPECT_THAT(DescribeAll(some.Take()), ElementsAre("0.004s [4] partial"));
}

TEST(FlowBatchTest, WaitsNoLongerThanItIsTold) {
  graph::NodeHarness some = FlowNode("some: { type: flow.batch, in: a.out, size: 3, max_wait: 2s }");
  some.Push("in", TextAt("a", 0));
  some.Advance(Duration::Seconds(1));
  some.Push("in", TextAt("b", 1));
  some.Advance(Duration::Milliseconds(999));
  EXPECT_THAT(some.Take(), ElementsAre());
  some.Advance(Duration::Milliseconds(1));
  EXPECT_THAT(DescribeAll(some.Take()), ElementsAre("0.001s [a b] partial"));
}

TEST(FlowBatchTest, ErrorsPassBy) {
  graph::NodeHarness some = FlowNode("some: { type: flow.batch, in: a.out, size: 2 }");
  some.Push("in", TextAt("a", 0));
  some.PushError("in", "cut short", Time::Milliseconds(5), "b.png");
  some.Push("in", TextAt("c", 6));
  EXPECT_THAT(DescribeAll(some.Take()), ElementsAre("0.005s error: cut short", "0.006s [a c]"));
  some.Push("in", TextAt("d", 7));
  some.PushError("in", "cut short", Time::Milliseconds(8), "e.png");
  some.End();
  EXPECT_THAT(DescribeAll(some.Take()), ElementsAre("0.008s error: cut short", "0.008000001s [d] partial"));
}

TEST(FlowBatchTest, ANewEpochStartsANewList) {
  graph::NodeHarness some = FlowNode("some: { type: flow.batch, in: a.out, size: 2 }");
  some.Push("in", TextAt("a", 0));
  some.Push("in", TextAt("b", 5).WithOrigin({.epoch = 1}));
  some.Push("in", TextAt("c", 6).WithOrigin({.epoch = 1}));
  EXPECT_THAT(DescribeAll(some.Take()), ElementsAre("0s [a] partial", "0.006s [b c]"));
}

TEST(FlowBatchTest, KeepsNoMoreBytesThanItIsTold) {
  graph::NodeHarness some =
      FlowNode("some: { type: flow.batch, in: a.out, size: 3, max_bytes: 10000, restart: { limit: 0 } }");
  for (int ms : {1, 2}) {
    some.Push("in", graph::Packet::Make(Text{.text = "big", .claimed_bytes = 9000}, Time::Milliseconds(ms)));
  }
  const graph::RunResult result = some.Cancel();
  ASSERT_TRUE(result.error);
  EXPECT_THAT(result.error->message, testing::HasSubstr("would pass its state bound of 10000 bytes"));
}

TEST(FlowBatchTest, RefusesAnEmptySize) {
  EXPECT_EQ(RefusalOf("some: { type: flow.batch, in: a.out, size: 0 }"), "'size' is 0, outside its range: 1 to 100000");
}

}  // namespace
}  // namespace percept::nodes
