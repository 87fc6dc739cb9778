// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/source/script.h"
#include "tests/nodes/flow/flow_case.h"

namespace percept::nodes {
namespace {

using graph::Duration;
using graph::NodeHarness;
using graph::Packet;
using graph::RunStatus;
using testing::ElementsAre;
using testing::Pair;

std::string Script(const std::string& params) { return "talk: { type: source.script, " + params + " }"; }

TEST(SourceScriptTest, SendsTextsAndErrors) {
  NodeHarness talk = FlowNode(Script(
      "items: [ { t: 0ms, text: a, duration: 5ms, bytes: 1KiB, fields: { person: true, heat: 2.5, name: Ann } }, "
      "{ t: 40ms, error: torn, item: b.png }, { bound: 1s } ]"));
  const std::vector<Packet> out = talk.Take();
  EXPECT_THAT(DescribeAll(out), ElementsAre("0s a", "0.04s error: torn"));
  EXPECT_EQ(out[0].item_label(), "a");
  EXPECT_EQ(out[0].duration(), Duration::Milliseconds(5));
  EXPECT_GE(out[0].bytes(), 1024u);
  EXPECT_EQ(out[0].Field("person"), graph::FieldValue(true));
  EXPECT_EQ(out[0].Field("heat"), graph::FieldValue(2.5));
  EXPECT_EQ(out[0].Field("name"), graph::FieldValue(std::string("Ann")));
  const graph::RunResult result = talk.Finish();
  EXPECT_EQ(result.status, RunStatus::kFinished);
  ASSERT_EQ(result.failed_items.size(), 1u);
  EXPECT_EQ(result.failed_items[0].item, "b.png");
}

TEST(SourceScriptTest, WaitsOnTheRunClock) {
  NodeHarness talk = FlowNode(Script("count: 3, interval: 10ms, wait: 1s, text: n"));
  EXPECT_THAT(DescribeAll(talk.Take()), ElementsAre("0s n0"));
  talk.Advance(Duration::Milliseconds(1500));
  EXPECT_THAT(DescribeAll(talk.Take()), ElementsAre("0.01s n1"));
  talk.Advance(Duration::Milliseconds(500));
  EXPECT_THAT(DescribeAll(talk.Take()), ElementsAre("0.02s n2"));
  EXPECT_EQ(talk.Finish().status, RunStatus::kFinished);
}

TEST(SourceScriptTest, SendsAnErrorForWhatStepsBack) {
  NodeHarness talk = FlowNode(Script("items: [ { t: 0ms, text: a }, { t: 40ms, text: b }, { t: 20ms, text: c } ]"));
  EXPECT_THAT(DescribeAll(talk.Take()),
              ElementsAre("0s a", "0.04s b", "0.040000001s error: out of order: 0.02s after 0.04s"));
  EXPECT_THAT(talk.Finish().nodes.back().repairs, ElementsAre(Pair("late", 1)));
}

TEST(SourceScriptTest, PutsSmallDisorderRight) {
  NodeHarness talk =
      FlowNode(Script("disorder: 40ms, items: [ { t: 0ms, text: a }, { t: 40ms, text: b }, { t: 20ms, error: torn }, { "
                      "t: 80ms, text: d } ]"));
  EXPECT_THAT(DescribeAll(talk.Take()), ElementsAre("0s a", "0.02s error: torn", "0.04s b", "0.08s d"));
  EXPECT_THAT(talk.Finish().nodes.back().repairs, ElementsAre(Pair("reordered", 1)));
}

TEST(SourceScriptTest, StartsEpochsAfterAllThatWasSent) {
  NodeHarness talk =
      FlowNode(Script("items: [ { t: 0ms, text: a }, { t: 50ms, text: b }, { epoch: 20ms, t: 0ms, text: c }, { epoch: "
                      "1s, t: 5ms, text: d } ]"));
  const std::vector<Packet> out = talk.Take();
  EXPECT_THAT(DescribeAll(out), ElementsAre("0s a", "0.05s b", "0.050000001s c", "1.005s d"));
  EXPECT_EQ(out[1].origin().epoch, 0);
  EXPECT_LT(out[2].origin().epoch, out[3].origin().epoch);
  EXPECT_TRUE(out[2].has(Packet::kDiscontinuity));
}

TEST(SourceScriptTest, CountsOnWhereACounterWraps) {
  NodeHarness talk =
      FlowNode(Script("tick_bits: 8, ticks_per_second: 1000, items: [ { ticks: 200, text: a }, { ticks: 10, text: b }, "
                      "{ epoch: 1s, ticks: 9, text: c } ]"));
  EXPECT_THAT(DescribeAll(talk.Take()), ElementsAre("0.2s a", "0.266s b", "1.009s c"));
}

TEST(SourceScriptTest, FailsAsItIsTold) {
  NodeHarness talk = FlowNode(Script("items: [ { t: 0ms, text: a }, { throw: unplugged } ]"));
  const graph::RunResult result = talk.Finish();
  EXPECT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "node.yaml:2:3: node 'talk' (source.script) failed: unplugged");
}

TEST(SourceScriptTest, GoesOnAfterAFaultThatGoesAway) {
  NodeHarness talk =
      FlowNode(Script("items: [ { t: 0ms, text: a }, { transient: no route, times: 2, t: 10ms, text: b } ]"));
  EXPECT_THAT(DescribeAll(talk.Take()), ElementsAre("0s a"));
  talk.Advance(Duration::Seconds(2));
  const std::vector<Packet> out = talk.Take();
  EXPECT_THAT(DescribeAll(out), ElementsAre("0.01s b"));
  EXPECT_TRUE(out[0].has(Packet::kGap));
  EXPECT_EQ(talk.Finish().nodes.back().retries, 2u);
}

TEST(SourceScriptTest, BlocksUntilTheRunIsStopped) {
  NodeHarness talk = FlowNode(Script("items: [ { t: 0ms, text: a }, { block: true } ]"));
  EXPECT_FALSE(talk.done());
  EXPECT_EQ(talk.Cancel().status, RunStatus::kCancelled);
}

TEST(SourceScriptTest, StampsWhatALiveOneSends) {
  NodeHarness talk = FlowNode("talk: { type: source.script_live, items: [ { wait: 1s, t: 0ms, text: a } ] }");
  talk.Advance(Duration::Seconds(1));
  const std::vector<Packet> out = talk.Take();
  ASSERT_EQ(out.size(), 1u);
  ASSERT_TRUE(out[0].origin().capture_time.has_value());
  EXPECT_EQ(*out[0].origin().capture_time, graph::WallTime(std::chrono::seconds(1)));
}

TEST(SourceScriptTest, GeneratesStepsBack) {
  NodeHarness talk = FlowNode(Script("count: 5, interval: 10ms, step_back_every: 3, step_back: 15ms, disorder: 20ms"));
  EXPECT_THAT(DescribeAll(talk.Take()), ElementsAre("0s 0", "0.01s 1", "0.015s 3", "0.02s 2", "0.04s 4"));
}

TEST(SourceScriptTest, EndsWithAnErrorWhereTimeEnds) {
  const GeneratedScript script{.count = 4, .interval = Duration::Seconds(9'000'000'000)};
  EXPECT_EQ(script.Line(1).t, Duration::Seconds(9'000'000'000));
  try {
    script.Line(2);
    FAIL() << "no error";
  } catch (const std::out_of_range& error) {
    EXPECT_STREQ(error.what(), "text 2 would lie behind the end of time");
  }
}

TEST(SourceScriptTest, RefusesLinesItCannotFollow) {
  EXPECT_EQ(RefusalOf("talk: { type: source.script }"),
            "node 'talk' (source.script) needs 'items', or a 'count' of texts");
  EXPECT_EQ(RefusalOf(Script("count: 1, items: [ { t: 0ms, text: a } ]")),
            "'count' makes lines of its own; there are 'items' too");
  EXPECT_EQ(RefusalOf(Script("items: [ { t: 0ms, txt: a } ]")), "unknown key 'txt' in a script line; nearest: text");
  EXPECT_EQ(RefusalOf(Script("items: [ { text: a } ]")),
            "a script line with a packet or an error needs its time: t or ticks");
  EXPECT_EQ(RefusalOf(Script("items: [ { t: 0s, text: a, error: b } ]")),
            "a script line has a packet or an error, not both");
  EXPECT_EQ(RefusalOf(Script("items: [ { wait: -1s, t: 0s, text: a } ]")),
            "a script line cannot wait for a negative time");
  EXPECT_EQ(RefusalOf(Script("items: [ { t: 0s, text: a, duration: -1s } ]")),
            "a packet's duration cannot be negative");
  EXPECT_EQ(RefusalOf(Script("items: [ { t: 0s, text: a, times: 3 } ]")),
            "'times' says how often a line is 'transient'");
  EXPECT_EQ(RefusalOf(Script("items: [ { transient: gone, times: -1 } ]")), "'times' cannot be negative");
  EXPECT_EQ(RefusalOf(Script("items: [ { ticks: -1, text: a } ]")), "'ticks' cannot be negative");
  EXPECT_EQ(RefusalOf(Script("tick_bits: 8, items: [ { ticks: 255, text: a }, { ticks: 256, text: b } ]")),
            "'ticks' is 256, which a counter of 8 bits (tick_bits) does not reach");
  EXPECT_EQ(RefusalOf(Script("count: 3, interval: 0s")),
            "'interval' must be more than 0: of texts of one time, all but the first come late");
}

}  // namespace
}  // namespace percept::nodes
