// SPDX-License-Identifier: Apache-2.0
#include "graph/test/node_harness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/graph/function_node.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;

std::vector<std::string> DescribeAll(const std::vector<Packet>& packets) {
  std::vector<std::string> lines;
  for (const Packet& packet : packets) lines.push_back(Describe(packet));
  return lines;
}

TEST(NodeHarnessTest, FeedsANodeAndReadsWhatItSends) {
  NodeHarness node(WordRegistry(), "mark: { type: word.append, in: read.words, suffix: '!' }",
                   {{"read.words", "Word"}});
  EXPECT_EQ(node.node().name, "mark");
  node.Push("in", MakeWord("a", 10), "a.png");
  EXPECT_EQ(node.BoundOf("out"), Time::Milliseconds(10).Next());
  node.SetBound("in", Time::Milliseconds(30));
  EXPECT_EQ(node.BoundOf("out"), Time::Milliseconds(30));
  node.PushError("in", "cut short", Time::Milliseconds(40), "b.png");
  EXPECT_THAT(DescribeAll(node.Take("out")),
              ElementsAre("0.01s a! (a.png)", "0.04s bad_input from 'test': cut short (b.png)"));
  EXPECT_THAT(node.Take("out"), ElementsAre());
  EXPECT_FALSE(node.done());
  const RunResult result = node.Finish();
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_TRUE(node.done());
}

TEST(NodeHarnessTest, FeedsEveryInputOfAJoin) {
  NodeHarness node(WordRegistry(), "both:\n  type: word.join\n  in: { a: left.words, b: left.more }",
                   {{"left.words", "Word"}, {"left.more", "Word"}});
  node.PushMore("a", MakeWord("a", 0));
  node.Push("b", MakeWord("c", 0));
  EXPECT_THAT(node.Take(), ElementsAre());
  node.Push("a", MakeWord("b", 0));
  EXPECT_THAT(DescribeAll(node.Take()), ElementsAre("0s ab+c"));
  node.Push("b", MakeWord("x", 5));
  node.End("a");
  EXPECT_EQ(node.BoundOf(), Time::Milliseconds(5).Next());
  EXPECT_EQ(node.Finish().status, RunStatus::kFinished);
  EXPECT_THAT(node.Take(), ElementsAre());
}

TEST(NodeHarnessTest, HoldsAnOutputBack) {
  NodeHarness node(WordRegistry(), "mark: { type: word.append, in: read }", {{"read", "Word"}});
  node.HoldBack();
  for (int i = 0; i < 100; ++i) node.Push("in", MakeWord("w", i));
  EXPECT_EQ(node.Take().size(), 0u);
  EXPECT_LT(node.BoundOf(), Time::Milliseconds(99));
  node.Release();
  EXPECT_EQ(node.Take().size(), 100u);
}

// Sends two words as one, at the time of the first.
TEST(NodeHarnessTest, ShowsABoundThatANodeHolds) {
  Registry registry;
  RegisterFunctions(registry, WordContract("word.pair", {"in"}, {"out"}), [] {
    NodeFunctions functions;
    auto first = std::make_shared<Packet>();
    functions.process = [first](NodeContext& context) {
      const Packet& in = context.inputs().Get("in");
      if (first->empty()) {
        *first = in;
        context.HoldBounds(in.timestamp());
        return Process::kNeedInput;
      }
      context.Send("out", std::exchange(*first, {}));
      context.HoldBounds(Time::Max());
      return Process::kNeedInput;
    };
    return functions;
  }());
  NodeHarness node(registry, "pair: { type: word.pair, in: read }", {{"read", "Word"}});
  node.Push("in", MakeWord("a", 10));
  node.SetBound("in", Time::Milliseconds(30));
  EXPECT_EQ(node.BoundOf(), Time::Milliseconds(10));
  node.Push("in", MakeWord("b", 40));
  EXPECT_THAT(DescribeAll(node.Take()), ElementsAre("0.01s a"));
  EXPECT_EQ(node.BoundOf(), Time::Milliseconds(40).Next());
}

// Wakes itself each 10 ms of the run clock and says when.
Registry TickingRegistry() {
  Registry registry;
  NodeFunctions functions;
  functions.process = [](NodeContext& context) {
    const Duration now = context.Now();
    if (now != Duration{}) context.Send("out", Packet::Make(Word{"tick", 1}, Time::Nanoseconds(now.nanoseconds())));
    context.WakeAt(now + Duration::Milliseconds(10));
    return Process::kBlocked;
  };
  RegisterFunctions(registry, WordSourceContract("source.tick"), functions);
  return registry;
}

TEST(NodeHarnessTest, MovesTheClock) {
  NodeHarness node(TickingRegistry(), "tick: { type: source.tick }");
  EXPECT_THAT(node.Take(), ElementsAre());
  node.Advance(Duration::Milliseconds(25));
  EXPECT_THAT(DescribeAll(node.Take()), ElementsAre("0.01s tick", "0.02s tick"));
  EXPECT_EQ(node.Now(), Duration::Milliseconds(25));
  node.Advance(Duration::Milliseconds(5));
  EXPECT_THAT(DescribeAll(node.Take()), ElementsAre("0.03s tick"));
  EXPECT_EQ(node.Cancel().status, RunStatus::kCancelled);
}

TEST(NodeHarnessTest, SaysWhatFailed) {
  NodeHarness node(WordRegistry(), "mark: { type: word.append, in: read }", {{"read", "Word"}});
  node.Push("in", MakeWord("bad", 0), "a.png");
  EXPECT_THAT(DescribeAll(node.Take()), ElementsAre("0s bad_input from 'mark': bad word (a.png)"));
  const RunResult result = node.Finish();
  EXPECT_EQ(result.num_failed_items, 1u);
}

template <class Error>
std::string Refusal(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "not refused";
}

TEST(NodeHarnessTest, RefusesWhatCannotBeRun) {
  const Registry registry = WordRegistry();
  EXPECT_EQ(Refusal<DefinitionError>([&] {
              NodeHarness(registry, "mark: { type: word.append, in: read, count: 10 }", {{"read", "Word"}});
            }),
            "node.yaml:2:47: 'count' is 10, outside its range: 1 to 9");
  EXPECT_EQ(Refusal<std::logic_error>([&] { NodeHarness(registry, "mark: { type: word.append, in: read }"); }),
            "NodeHarness: no payload type for 'read'");
  EXPECT_EQ(Refusal<std::logic_error>([&] {
              NodeHarness node(registry, "mark: { type: word.append, in: read }", {{"read", "Word"}});
              node.Push("a", MakeWord("a", 0));
            }),
            "NodeHarness: the node has no input 'a'");
  EXPECT_EQ(Refusal<std::logic_error>([&] {
              FakeEngine engine(FakeEngine::Pace::kNever);
              Services services;
              services.Add(engine);
              NodeHarness node(registry, "ask: { type: word.engine, in: read }", {{"read", "Word"}}, services);
              node.Push("in", MakeWord("a", 0));
              node.Finish();
            }),
            "NodeHarness: the inputs have ended, but the node waits for somebody to wake it");
}

}  // namespace
}  // namespace percept::graph
