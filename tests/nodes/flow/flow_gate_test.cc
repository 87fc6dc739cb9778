// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/nodes/flow/flow_case.h"

namespace percept::nodes {
namespace {

using graph::Time;
using testing::ElementsAre;

std::string Gate(const std::string& more = "") {
  return "seen: { type: flow.gate, in: { in: a.out, control: b.out }, when: { field: people, above: 0 }" + more + " }";
}

void PushTexts(graph::NodeHarness& gate, const std::vector<int64_t>& times_ms) {
  for (const int64_t ms : times_ms) gate.Push("in", TextAt("p" + std::to_string(ms), ms));
}

TEST(FlowGateTest, IsOpenFromTheTimeOfTheControlPacketOn) {
  graph::NodeHarness gate = FlowNode(Gate());
  PushTexts(gate, {0, 10, 20, 30, 40});
  EXPECT_THAT(gate.Take(), ElementsAre());  // waits for what control says about these times
  gate.Push("control", NumberAt("", "people", 2, 10));
  gate.Push("control", NumberAt("", "people", 0, 25));
  gate.End("control");
  EXPECT_THAT(DescribeAll(gate.Take()), ElementsAre("0.01s p10", "0.02s p20"));
  EXPECT_EQ(gate.BoundOf(), Time::Milliseconds(40).Next());
}

TEST(FlowGateTest, TakesTheNewestThatHasComeWithoutWaiting) {
  graph::NodeHarness gate = FlowNode(Gate(", sync: latest, initially: open"));
  PushTexts(gate, {100});
  gate.Push("control", NumberAt("", "people", 0, 10));
  PushTexts(gate, {110});
  gate.Push("control", NumberAt("", "people", 1, 20));
  PushTexts(gate, {120, 130});
  EXPECT_THAT(DescribeAll(gate.Take()), ElementsAre("0.1s p100", "0.12s p120", "0.13s p130"));
}

TEST(FlowGateTest, WaitsForControlAsLongAsMaxWaitSays) {
  graph::NodeHarness gate = FlowNode(Gate(", initially: open, max_wait: 2s"));
  PushTexts(gate, {0});
  gate.Advance(graph::Duration::Milliseconds(1999));
  EXPECT_THAT(gate.Take(), ElementsAre());
  gate.Advance(graph::Duration::Milliseconds(1));
  EXPECT_THAT(DescribeAll(gate.Take()), ElementsAre("0s p0"));
}

TEST(FlowGateTest, LooksAtAControlPacketOnce) {
  graph::NodeHarness gate = FlowNode(
      "seen: { type: flow.gate, in: { in: a.out, control: b.out }, when: { field: people, changed: true }, sync: "
      "latest "
      "}");
  gate.Push("control", NumberAt("", "people", 0, 0));
  PushTexts(gate, {0});
  gate.Push("control", NumberAt("", "people", 1, 10));
  PushTexts(gate, {10, 20});
  EXPECT_THAT(DescribeAll(gate.Take()), ElementsAre("0.01s p10", "0.02s p20"));
}

TEST(FlowGateTest, PassesErrorsOfBothInputs) {
  graph::NodeHarness gate = FlowNode(Gate());
  gate.PushError("in", "torn", Time::Milliseconds(0));
  gate.PushError("control", "blind", Time::Milliseconds(5));
  gate.Push("control", TextAt("no field", 6));
  PushTexts(gate, {7});
  gate.End();
  EXPECT_THAT(DescribeAll(gate.Take()), ElementsAre("0s error: torn", "0.005s error: blind",
                                                    "0.006s error: a packet of type Text has no field 'people'"));
}

TEST(FlowGateTest, RefusesWhatItCannotKeepTo) {
  EXPECT_EQ(RefusalOf(Gate(", sync: now")), "'sync' must be one of its values, found 'now'; valid: settled, latest");
  EXPECT_EQ(RefusalOf(Gate(", join: latest")),
            "'join' of node 'seen' (flow.gate): nodes of this type join their inputs in their own way");
}

}  // namespace
}  // namespace percept::nodes
