// SPDX-License-Identifier: Apache-2.0
// What `percept check` tells of a graph beside its faults; the limits that reach a node.
#include "graph/config/structure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "graph/config/bounded_sum.h"
#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;

constexpr size_t kEdgeBytes = EdgeLimits().bytes;

Contract KeepContract() {
  Contract keep = WordContract("word.keep", {"in"}, {"out", "rest"});
  keep.parallel = true;
  for (const char* name : {"time", "every", "max_wait"}) {
    keep.params.push_back({.name = name, .type = ParamType::kDuration, .doc = "Kept."});
  }
  for (const char* name : {"items", "state_items", "state_bytes"}) {
    keep.params.push_back({.name = name, .type = ParamType::kInt, .doc = "Kept."});
  }
  return keep;
}

int64_t NumberOf(const ParamValues& params, const std::string& name) {
  return params.Has(name) ? params.Get<int64_t>(name) : 0;
}

StateBound StateOf(const ParamValues& params) {
  return {.items = NumberOf(params, "state_items"), .bytes = NumberOf(params, "state_bytes")};
}

Timing TimingOf(const ParamValues& params) {
  Timing timing;
  timing.holds_items = NumberOf(params, "items");
  if (params.Has("time")) timing.holds_time = params.Get<Duration>("time");
  if (params.Has("max_wait")) timing.max_wait = params.Get<Duration>("max_wait");
  if (params.Has("every")) timing.interval = params.Get<Duration>("every");
  return timing;
}

// word.keep keeps `items` sets or `time` back; its outputs are `every` apart.
Registry KeepingRegistry() {
  Registry registry = WordRegistry();
  registry.Register({.contract = KeepContract(),
                     .make = [](const ParamValues&, const Services&) { return std::make_unique<JoinNode>(); },
                     .state = StateOf,
                     .timing = TimingOf});
  return registry;
}

CheckedGraph CheckNodes(const std::string& nodes) {
  return Check(ParsePipeline("percept: 1\nnodes:\n  read: { type: source.script, script: [] }\n" + nodes, "p.yaml"),
               KeepingRegistry());
}

// "read -> a -> out"
std::string WayOf(const CheckedGraph& graph, const StructuralDelay& delay) {
  std::string way;
  for (size_t node : delay.way) way += (way.empty() ? "" : " -> ") + graph.nodes[node].name;
  return way;
}

TEST(StructureTest, AddsUpWhatNodesAndEdgesHold) {
  const CheckedGraph graph = CheckNodes(
      "  a: { type: word.keep, in: { from: read, bytes: 1000 }, state_items: 2, state_bytes: 500 }\n"
      "  b: { type: word.keep, in: a.out, state_items: 2 }\n"
      "  out: { type: sink.words, in: b.out }\n");
  const Structure structure = StructureOf(graph);
  EXPECT_EQ(structure.edge_bytes, static_cast<int64_t>(1000 + 2 * kEdgeBytes));
  EXPECT_EQ(structure.state_bytes, 500);
  EXPECT_THAT(structure.no_byte_bound, ElementsAre(2u));
  ASSERT_EQ(structure.dead_ports.size(), 2u);
  EXPECT_EQ(graph.nodes[structure.dead_ports[1].node].name, "b");
  EXPECT_EQ(structure.dead_ports[1].port, 1u);
  CheckedGraph large = graph;
  for (CheckedEdge& edge : large.edges) edge.limits.bytes = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(StructureOf(large).edge_bytes, std::numeric_limits<int64_t>::max());
}

TEST(StructureTest, DelaysAreThoseOfTheLongestWay) {
  const CheckedGraph graph = CheckNodes(
      "  fast: { type: word.keep, in: read, time: 2s }\n"
      "  slow: { type: word.keep, in: { from: read, time: 500ms }, time: 60s }\n"
      "  both: { type: word.join, in: { a: fast.out, b: slow.out },\n"
      "          join: { kind: nearest, tolerance: 20ms, max_wait: 1s } }\n"
      "  out: { type: sink.words, in: both }\n");
  const Structure structure = StructureOf(graph);
  ASSERT_EQ(structure.delays.size(), 1u);
  const StructuralDelay& delay = structure.delays[0];
  EXPECT_EQ(WayOf(graph, delay), "read -> slow -> both -> out");
  EXPECT_EQ(delay.windows, Duration::Milliseconds(60'020));
  EXPECT_EQ(delay.waits, Duration::Seconds(1));
  EXPECT_EQ(delay.queues, Duration::Milliseconds(500));
  EXPECT_EQ(delay.items, 0);
  EXPECT_THAT(structure.joins, ElementsAre(3u));
}

TEST(StructureTest, ItemsAreTimeWhereTheirIntervalIsKnown) {
  const Structure structure =
      StructureOf(CheckNodes("  five: { type: word.keep, in: read, items: 5 }\n"
                             "  pick: { type: word.keep, in: five.out, every: 2s }\n"
                             "  four: { type: word.keep, in: pick.out, items: 4 }\n"
                             "  two:  { type: word.keep, in: four.out, items: 2 }\n"
                             "  out:  { type: sink.words, in: two.out }\n"
                             "  ten:  { type: word.keep, in: five.out, items: 10 }\n"
                             "  end:  { type: sink.words, in: ten.out }\n"));
  ASSERT_EQ(structure.delays.size(), 2u);
  EXPECT_EQ(structure.delays[0].items, 4);
  EXPECT_EQ(structure.delays[0].windows, Duration::Seconds(6 + 8));
  EXPECT_EQ(structure.delays[1].items, 4 + 9 * 5);
  EXPECT_EQ(structure.delays[1].total(), Duration());
}

TEST(StructureTest, ABatchWaitsNoLongerThanItsMaxWait) {
  const Structure structure =
      StructureOf(CheckNodes("  five: { type: word.keep, in: read, items: 5, max_wait: 3s }\n"
                             "  pick: { type: word.keep, in: five.out, every: 2s }\n"
                             "  four: { type: word.keep, in: pick.out, items: 4, max_wait: 100s }\n"
                             "  nine: { type: word.keep, in: four.out, items: 9, max_wait: 1s }\n"
                             "  out:  { type: sink.words, in: nine.out }\n"));
  ASSERT_EQ(structure.delays.size(), 1u);
  EXPECT_EQ(structure.delays[0].waits, Duration::Seconds(3 + 1));
  EXPECT_EQ(structure.delays[0].windows, Duration::Seconds(6));
  EXPECT_EQ(structure.delays[0].items, 0);
}

TEST(StructureTest, InstancesHaveSetsAtWork) {
  const CheckedGraph graph = CheckNodes(
      "  many: { type: word.keep, in: { from: read, bytes: 1000 }, parallel: 4 }\n"
      "  more: { type: word.keep, in: { from: many.out, bytes: 10 }, parallel: 3 }\n"
      "  out:  { type: sink.words, in: more.out }\n"
      "  end:  { type: sink.words, in: many.out }\n");
  const Structure structure = StructureOf(graph);
  EXPECT_EQ(structure.work_bytes, 4 * 1000 + 3 * 10);
  ASSERT_EQ(structure.delays.size(), 2u);
  EXPECT_EQ(structure.delays[0].at_work, 3 + 2);
  EXPECT_EQ(structure.delays[1].at_work, 3);
  EXPECT_EQ(structure.delays[0].total(), Duration());
  CheckedGraph large = graph;
  for (CheckedEdge& edge : large.edges) edge.limits.bytes = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(StructureOf(large).work_bytes, std::numeric_limits<int64_t>::max());
}

TEST(StructureTest, EachSourceHasItsOwnDelay) {
  const CheckedGraph graph = CheckNodes(
      "  more: { type: source.script, script: [] }\n"
      "  slow: { type: word.keep, in: more, time: 3s }\n"
      "  both: { type: word.join, in: { a: read, b: slow.out } }\n"
      "  out: { type: sink.words, in: both }\n");
  const Structure structure = StructureOf(graph);
  ASSERT_EQ(structure.delays.size(), 2u);
  EXPECT_EQ(WayOf(graph, structure.delays[0]), "read -> both -> out");
  EXPECT_EQ(structure.delays[0].total(), Duration());
  EXPECT_EQ(WayOf(graph, structure.delays[1]), "more -> slow -> both -> out");
  EXPECT_EQ(structure.delays[1].total(), Duration::Seconds(3));
}

TEST(StructureTest, DelaysAreAtMostTheMostThatIsCounted) {
  CheckedGraph graph = CheckNodes(
      "  a: { type: word.keep, in: read, time: 1s }\n"
      "  b: { type: word.keep, in: a.out, time: 1s }\n");
  for (CheckedNode& node : graph.nodes) {
    if (node.timing.holds_time > Duration()) node.timing.holds_time = Duration::Seconds(9e9);
  }
  EXPECT_EQ(StructureOf(graph).delays.at(0).total(), kMostTime);
}

TEST(StructureTest, TheLimitsOfThePipelineReachItsNodes) {
  Registry registry = WordRegistry();
  GraphLimits seen;
  NodeFunctions functions;
  functions.open = [&](NodeContext& context) { seen = context.limits(); };
  functions.process = [](NodeContext&) { return graph::Process::kFinished; };
  RegisterFunctions(registry, WordSourceContract("source.limited"), functions);
  const CheckedGraph graph =
      Check(ParsePipeline("percept: 1\nlimits: { pixels: 1000 }\nnodes:\n  a: { type: source.limited }\n", "p.yaml"),
            registry);
  Services services;
  const auto executor = MakeExecutorCase<ThreadExecutor>("Threads", 1).make();
  EXPECT_EQ(Graph(graph, *executor, services).Run().status, RunStatus::kFinished);
  EXPECT_EQ(seen.pixels, 1000);
  EXPECT_EQ(seen.host_bytes, std::nullopt);
}

}  // namespace
}  // namespace percept::graph
