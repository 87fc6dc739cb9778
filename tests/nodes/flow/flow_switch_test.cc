// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/nodes/flow/flow_case.h"

namespace percept::nodes {
namespace {

using testing::ElementsAre;

constexpr const char* kEye =
    "eye: { type: flow.switch, in: { day: a.out, night: b.out, control: d.out }, "
    "cases: [ { use: night, when: { field: lux, below: 5 } } ], otherwise: day }";

TEST(FlowSwitchTest, UsesTheInputOfTheFirstCaseThatHolds) {
  graph::NodeHarness eye = FlowNode(kEye);
  for (int ms : {0, 1, 2}) {
    eye.Push("day", TextAt("day", ms));
    eye.Push("night", TextAt("night", ms));
    eye.Push("control", NumberAt("", "lux", ms == 1 ? 2 : 100, ms));
  }
  EXPECT_THAT(DescribeAll(eye.Take()), ElementsAre("0s day", "0.001s night", "0.002s day"));
}

TEST(FlowSwitchTest, SendsNothingWhereNoCaseHoldsAndNothingIsSaid) {
  graph::NodeHarness eye = FlowNode(
      "eye: { type: flow.switch, in: { day: a.out, night: b.out }, cases: [ { use: night, when: { field: lux, below: 5 "
      "} } ] }");
  for (int ms : {0, 1}) {
    eye.Push("day", NumberAt("day", "lux", ms == 0 ? 9 : 1, ms));
    eye.Push("night", TextAt("night", ms));
  }
  EXPECT_THAT(DescribeAll(eye.Take()), ElementsAre("0.001s night"));
}

TEST(FlowSwitchTest, AMissingFieldIsABadItem) {
  graph::NodeHarness eye = FlowNode(kEye);
  eye.Push("day", TextAt("day", 0));
  eye.Push("night", TextAt("night", 0));
  eye.Push("control", TextAt("", 0));
  EXPECT_THAT(DescribeAll(eye.Take()), ElementsAre("0s error: a packet of type Text has no field 'lux'"));
}

TEST(FlowSwitchTest, RefusesAnInputThatIsNotThere) {
  EXPECT_EQ(RefusalOf("eye: { type: flow.switch, in: { day: a.out, night: b.out }, cases: [ { use: nigt, when: { "
                      "field: lux, below: 5 } } ] }"),
            "no input 'nigt' to switch to; nearest: night");
  EXPECT_EQ(RefusalOf("eye: { type: flow.switch, in: { day: a.out, night: b.out }, cases: [ { use: night } ] }"),
            "a case needs 'use' and 'when'");
}

TEST(FlowSwitchTest, OnlyItsControlMayBeOfAnotherType) {
  EXPECT_EQ(RefusalOf("eye: { type: flow.switch, in: { day: a.out, night: b.out, control: c.out }, cases: [ { use: "
                      "night, when: { field: lux, below: 5 } } ] }"),
            "");
  EXPECT_THAT(RefusalOf("eye: { type: flow.switch, in: { day: a.out, night: c.out }, cases: [ { use: night, when: { "
                        "field: lux, below: 5 } } ] }"),
              testing::HasSubstr("must be of one type: 'day' is Text, 'night' is Image"));
}

}  // namespace
}  // namespace percept::nodes
