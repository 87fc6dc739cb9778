// SPDX-License-Identifier: Apache-2.0
// Ports and types that depend on what a node is connected to, and what its parameters decide.
#include "graph/config/wiring.h"

#include <gtest/gtest.h>

#include "tests/support/word_nodes.h"

namespace percept::graph {
namespace {

// word.any passes anything on, word.list makes lists of it, word.blend takes any number of inputs of one type,
// word.window has an output per input.
Registry PassingRegistry() {
  Registry registry = WordRegistry();
  Contract any = WordContract("word.any", {"in"}, {"out"});
  any.inputs[0].types = {};
  any.outputs[0].type = "$in";
  RegisterWordNode<JoinNode>(registry, any);
  Contract list = any;
  list.type = "word.list";
  list.outputs[0].type = "$in[]";
  RegisterWordNode<JoinNode>(registry, list);
  Contract mix = WordContract("word.blend", {}, {"out"});
  mix.dynamic_inputs = DynamicInputs{.types = {}, .doc = "Anything."};
  mix.outputs[0].type = "$in";
  RegisterWordNode<JoinNode>(registry, mix);
  Contract window = mix;
  window.type = "word.window";
  window.outputs = {};
  window.dynamic_outputs = DynamicOutputs{.type = "$in[]", .doc = "Lists."};
  window.params = {{.name = "length", .type = ParamType::kDuration, .doc = "Of a window.", .required = true}};
  registry.Register({.contract = window,
                     .make = [](const ParamValues&, const Services&) { return std::make_unique<JoinNode>(); },
                     .state = [](const ParamValues& p) { return StateBound{.time = p.Get<Duration>("length")}; },
                     .join =
                         [](const ParamValues& p) {
                           const Duration length = p.Get<Duration>("length");
                           return JoinSpec{.kind = JoinKind::kWindow, .duration = length, .hop = length};
                         },
                     .timing = [](const ParamValues& p) { return Timing{.holds_time = p.Get<Duration>("length")}; }});
  return registry;
}

CheckedGraph CheckNodes(const std::string& nodes) {
  return Check(ParsePipeline("percept: 1\nnodes:\n  read: { type: source.script, script: [] }\n" + nodes, "p.yaml"),
               PassingRegistry());
}

std::string FaultOf(const std::string& nodes) {
  try {
    CheckNodes(nodes);
  } catch (const DefinitionError& error) {
    return error.what();
  }
  return "";
}

TEST(WiringTest, AnOutputMayHaveTheTypeOfAnInput) {
  const CheckedGraph graph = CheckNodes(
      "  sink: { type: sink.record, in: list }\n"  // written before what it reads
      "  list: { type: word.list, in: any }\n"
      "  any: { type: word.any, in: read }\n");
  EXPECT_EQ(graph.nodes[2].contract.outputs[0].type, "Word[]");
  EXPECT_EQ(graph.edges[0].type, "Word[]");
  EXPECT_EQ(graph.edges[1].type, "Word");
  EXPECT_EQ(FaultOf("  list: { type: word.list, in: read }\n  add: { type: word.append, in: list }\n"),
            "p.yaml:5:33: input 'in' of node 'add' (word.append) takes Word, but output 'out' of node 'list' "
            "(word.list) at p.yaml:4:3 gives Word[]");
}

TEST(WiringTest, NamedInputsShareTheirTypeWhereTheOutputHasIt) {
  EXPECT_EQ(CheckNodes("  mix: { type: word.blend, in: { a: read, b: read } }\n").nodes[1].contract.outputs[0].type,
            "Word");
  EXPECT_EQ(FaultOf("  list: { type: word.list, in: read }\n  mix: { type: word.blend, in: { a: read, b: list } }\n"),
            "p.yaml:5:46: the inputs of node 'mix' (word.blend) must be of one type: 'a' is Word, 'b' is Word[]");
}

TEST(WiringTest, ANodeMayHaveAnOutputPerInput) {
  const CheckedGraph graph = CheckNodes(
      "  win: { type: word.window, length: 2s, in: { a: read, b: read } }\n"
      "  one: { type: word.window, length: 2s, in: read }\n"
      "  sink: { type: sink.record, in: win.b }\n"
      "  last: { type: sink.record, in: one }\n");
  EXPECT_EQ(graph.EdgeName(graph.edges[3]), "win.b -> sink.in");
  EXPECT_EQ(graph.edges[3].type, "Word[]");
  EXPECT_EQ(graph.EdgeName(graph.edges[4]), "one.out -> last.in");
  EXPECT_EQ(
      FaultOf("  win: { type: word.window, length: 2s, in: { a: read } }\n  s: { type: sink.record, in: win.b }\n"),
      "p.yaml:5:31: node 'win' (word.window) has no output 'b'; valid: a");
}

TEST(WiringTest, ParametersDecideStateJoinAndTiming) {
  const CheckedGraph graph = CheckNodes("  win: { type: word.window, length: 2s, in: read }\n");
  EXPECT_EQ(graph.nodes[1].contract.state.time, Duration::Seconds(2));
  EXPECT_EQ(graph.nodes[1].join.kind, JoinKind::kWindow);
  EXPECT_EQ(graph.nodes[1].join.hop, Duration::Seconds(2));
  EXPECT_EQ(graph.nodes[1].timing.holds_time, Duration::Seconds(2));
  // What lies before a window is its state.
  EXPECT_TRUE(graph.edges[0].limits.releases_credits);
}

TEST(WiringTest, AFileSaysHowMuchAnEdgeHoldsAndHowANodeJoins) {
  const CheckedGraph graph = CheckNodes(
      "  both: { type: word.join, join: { kind: nearest, tolerance: 20ms, max_wait: 1s, need: any },\n"
      "    in: { a: { from: read, policy: drop_oldest, packets: 4, bytes: 64KiB, time: 2s }, b: read } }\n");
  const EdgeLimits& limits = graph.edges[0].limits;
  EXPECT_EQ(limits.policy, DropPolicy::kDropOldest);
  EXPECT_EQ(limits.packets, 4u);
  EXPECT_EQ(limits.bytes, 65536u);
  EXPECT_EQ(limits.time, Duration::Seconds(2));
  EXPECT_TRUE(limits.releases_credits);
  EXPECT_EQ(graph.edges[0].stated.packets->ToString(), "p.yaml:5:58");
  EXPECT_FALSE(graph.edges[1].stated.packets.has_value());
  const JoinSpec& join = graph.nodes[1].join;
  EXPECT_EQ(join.kind, JoinKind::kNearest);
  EXPECT_EQ(join.tolerance, Duration::Milliseconds(20));
  EXPECT_EQ(join.max_wait, Duration::Seconds(1));
  EXPECT_FALSE(join.need_all);
}

TEST(WiringTest, ALiveSourceOverwritesAndItsJoinsSayHowLongTheyWait) {
  Registry registry = PassingRegistry();
  Contract camera = WordContract("source.camera", {}, {"out"});
  camera.source = SourceKind::kLive;
  RegisterWordNode<JoinNode>(registry, camera);
  const auto check = [&](const std::string& join) {
    return Check(ParsePipeline("percept: 1\nnodes:\n"
                               "  read: { type: source.script, script: [] }\n"
                               "  cam: { type: source.camera }\n"
                               "  add: { type: word.append, in: cam }\n"
                               "  both: { type: word.join, in: { a: add, b: read }" +
                                   join + " }\n",
                               "p.yaml"),
                 registry);
  };
  const CheckedGraph graph = check(", join: { max_wait: 2s }");
  EXPECT_EQ(graph.edges[0].limits.policy, DropPolicy::kLatest);  // cam -> add
  EXPECT_EQ(graph.edges[1].limits.policy, DropPolicy::kBlock);   // add -> both
  try {
    check("");
    ADD_FAILURE() << "not refused";
  } catch (const DefinitionError& error) {
    EXPECT_STREQ(error.what(),
                 "p.yaml:6:3: node 'both' (word.join) joins what comes from the live source 'cam', which may fall "
                 "silent: say how long it waits, as in join: { max_wait: 1s }");
  }
}

TEST(WiringTest, ANodeThatJoinsInItsOwnWayIsNotTold) {
  EXPECT_EQ(FaultOf("  win: { type: word.window, length: 2s, in: { a: read, b: read }, join: settled }\n"),
            "p.yaml:4:67: 'join' of node 'win' (word.window): nodes of this type join their inputs in their own way");
}

}  // namespace
}  // namespace percept::graph
