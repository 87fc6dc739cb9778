// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/nodes/flow/flow_case.h"

namespace percept::nodes {
namespace {

using graph::Duration;
using graph::Time;
using testing::ElementsAre;

TEST(FlowWindowTest, ListsWhatEachWindowHolds) {
  graph::NodeHarness win = FlowNode("win: { type: flow.window, in: a.out, duration: 30ms }");
  EXPECT_EQ(win.node().contract.outputs[0].name, "out");
  EXPECT_EQ(win.node().contract.outputs[0].type, "Text[]");
  for (int ms : {5, 10, 29, 30, 70}) win.Push("in", TextAt(std::to_string(ms), ms));
  EXPECT_THAT(DescribeAll(win.Take()), ElementsAre("0s [5 10 29]", "0.03s [30]"));
  EXPECT_EQ(win.Finish().status, graph::RunStatus::kFinished);
  EXPECT_THAT(DescribeAll(win.Take()), ElementsAre("0.06s [70] partial"));
}

TEST(FlowWindowTest, HasAnOutputForEachNamedInput) {
  graph::NodeHarness win =
      FlowNode("win: { type: flow.window, in: { words: a.out, notes: b.out }, duration: 30ms, need: any }");
  win.Push("words", TextAt("w", 5));
  win.Push("notes", TextAt("n", 8));
  win.SetBound("notes", Time::Milliseconds(90));
  win.Push("words", TextAt("v", 31));
  win.SetBound("words", Time::Milliseconds(60));
  EXPECT_THAT(DescribeAll(win.Take("words")), ElementsAre("0s [w]", "0.03s [v]"));
  const std::vector<graph::Packet> notes = win.Take("notes");
  EXPECT_THAT(DescribeAll(notes), ElementsAre("0s [n]"));
  EXPECT_EQ(notes[0].duration(), Duration::Milliseconds(30));
}

TEST(FlowWindowTest, APlainInputMayBeNamed) {
  graph::NodeHarness win = FlowNode("win: { type: flow.window, in: { in: a.out }, duration: 30ms }");
  win.Push("in", TextAt("a", 5));
  win.End();
  EXPECT_THAT(DescribeAll(win.Take("out")), ElementsAre("0s [a] partial"));
}

TEST(FlowWindowTest, AnErrorDoesNotSpoilItsWindow) {
  graph::NodeHarness win = FlowNode("win: { type: flow.window, in: a.out, duration: 30ms }");
  win.Push("in", TextAt("a", 5));
  win.PushError("in", "cut short", Time::Milliseconds(7), "b.png");
  win.Push("in", TextAt("c", 9));
  win.SetBound("in", Time::Milliseconds(30));
  EXPECT_THAT(DescribeAll(win.Take()), ElementsAre("0s [a c]", "0.007s error: cut short"));
}

TEST(FlowWindowTest, AnErrorComesOnceWhereWindowsOverlap) {
  graph::NodeHarness win = FlowNode("win: { type: flow.window, in: a.out, duration: 20ms, hop: 10ms }");
  win.Push("in", TextAt("a", 5));
  win.PushError("in", "cut short", Time::Milliseconds(12), "b.png");
  win.PushError("in", "gone", Time::Milliseconds(13), "c.png");
  win.Push("in", TextAt("d", 15));
  win.Push("in", TextAt("e", 25));
  win.SetBound("in", Time::Milliseconds(30));
  EXPECT_THAT(DescribeAll(win.Take()),
              ElementsAre("0s [a d]", "0.01s [d e]", "0.012s error: cut short", "0.013s error: gone"));
}

TEST(FlowWindowTest, AnErrorBetweenWindowsKeepsItsTime) {
  graph::NodeHarness win = FlowNode("win: { type: flow.window, in: a.out, duration: 10ms, hop: 30ms }");
  win.Push("in", TextAt("a", 5));
  win.PushError("in", "cut short", Time::Milliseconds(12), "b.png");
  win.Push("in", TextAt("c", 35));
  win.End();
  EXPECT_THAT(DescribeAll(win.Take()), ElementsAre("0s [a]", "0.012s error: cut short", "0.03s [c] partial"));
}

TEST(FlowWindowTest, OverlapsWhereTheHopIsShorter) {
  graph::NodeHarness win = FlowNode("win: { type: flow.window, in: a.out, duration: 20ms, hop: 10ms }");
  for (int ms : {5, 15, 25}) win.Push("in", TextAt(std::to_string(ms), ms));
  win.SetBound("in", Time::Milliseconds(30));
  EXPECT_THAT(DescribeAll(win.Take()), ElementsAre("0s [5 15]", "0.01s [15 25]"));
}

TEST(FlowWindowTest, SaysWhenItWouldKeepTooMuch) {
  graph::NodeHarness win = FlowNode("win: { type: flow.window, in: a.out, duration: 30ms, max_bytes: 10000 }");
  win.Push("in", graph::Packet::Make(Text{.text = "big", .claimed_bytes = 9000}, Time::Milliseconds(1)));
  win.Push("in", graph::Packet::Make(Text{.text = "big", .claimed_bytes = 9000}, Time::Milliseconds(2)));
  const graph::RunResult result = win.Cancel();
  ASSERT_TRUE(result.error);
  EXPECT_THAT(result.error->message, testing::HasSubstr("node 'win' (flow.window) failed"));
  EXPECT_THAT(result.error->message, testing::HasSubstr("would pass its state bound of 10000 bytes"));
}

TEST(FlowWindowTest, NeedsADuration) {
  EXPECT_EQ(RefusalOf("win: { type: flow.window, in: a.out }"),
            "node 'win' (flow.window) lacks its parameter 'duration' (duration)");
}

}  // namespace
}  // namespace percept::nodes
