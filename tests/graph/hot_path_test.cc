// SPDX-License-Identifier: Apache-2.0
// What spares a packet's way through a graph work: it must change nothing but that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/node/port_name.h"
#include "graph/queue/edge.h"
#include "graph/run/caller_executor.h"
#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/edge_limits.h"
#include "tests/support/word_nodes.h"

namespace percept::graph {
namespace {

class CountChanges : public EdgeUser {
 public:
  void OnEdgeChanged() override { ++num; }
  int num = 0;
};

TEST(PortNameTest, NamesAreTheSameLetterByLetter) {
  EXPECT_TRUE(IsSamePort("out", std::string("out")));
  EXPECT_FALSE(IsSamePort("out", "our"));
  EXPECT_FALSE(IsSamePort("out", "outer"));
  EXPECT_TRUE(IsSamePort("", ""));
}

class EdgeRoomTest : public testing::Test {
 protected:
  bool Push(Edge& edge, int64_t ms) {
    Packet packet = MakeWord("a", ms, 1);
    return edge.Push(packet, Time::Milliseconds(ms).Next(), level_);
  }

  CountChanges producer_, consumer_;
  Edge::Level level_;
};

TEST_F(EdgeRoomTest, RoomAfterAPushIsKnown) {
  Edge edge("a.out -> b.in", {2, 1000}, producer_, consumer_);
  EXPECT_FALSE(edge.has_room());  // nobody has looked
  EXPECT_TRUE(Push(edge, 0));
  EXPECT_TRUE(edge.has_room());
  EXPECT_TRUE(Push(edge, 1));
  EXPECT_FALSE(edge.has_room());
  EXPECT_FALSE(edge.HasRoom());
  Packet packet;
  EXPECT_TRUE(edge.Pop(Time::Max(), packet, level_));
  EXPECT_FALSE(edge.has_room());  // but one has to ask
  EXPECT_TRUE(edge.HasRoom());
  EXPECT_TRUE(edge.has_room());
}

TEST_F(EdgeRoomTest, LookingWhetherItIsFullAsksForNothing) {
  Edge edge("a.out -> b.in", {1, 1000}, producer_, consumer_);
  EXPECT_FALSE(edge.is_full());
  EXPECT_TRUE(Push(edge, 0));
  EXPECT_TRUE(edge.is_full());
  std::vector<Packet> packets;
  EXPECT_TRUE(edge.Pop(Time::Max(), packets, level_));
  EXPECT_EQ(packets.back().Get<Word>().text, "a");
  EXPECT_FALSE(edge.Pop(Time::Max(), packets, level_));
  EXPECT_EQ(packets.size(), 1u);
  EXPECT_EQ(producer_.num, 0);
}

TEST_F(EdgeRoomTest, ForcedFullGoesBeforeWhatIsKnown) {
  Edge edge("a.out -> b.in", {4, 1000}, producer_, consumer_);
  edge.ForceFull(1);
  EXPECT_FALSE(Push(edge, 0));
  EXPECT_TRUE(Push(edge, 0));
  EXPECT_FALSE(edge.has_room());
  EXPECT_FALSE(edge.HasRoom());
  EXPECT_EQ(producer_.num, 2);
  EXPECT_TRUE(edge.HasRoom());
}

TEST_F(EdgeRoomTest, NothingIsKnownOfRoomThatAPolicyMakes) {
  Edge edge("a.out -> b.in", {.packets = 1, .bytes = 1000, .policy = DropPolicy::kDropNewest}, producer_, consumer_);
  EXPECT_TRUE(Push(edge, 0));
  EXPECT_TRUE(edge.has_room());
  EXPECT_TRUE(Push(edge, 1));  // dropped
  EXPECT_FALSE(edge.has_room());
  EXPECT_TRUE(edge.HasRoom());
}

// A chain of a source of `num_words`, `num_nodes` that pass on what comes, and a sink.
CheckedGraph Chain(Registry& registry, int num_words, int num_nodes, int64_t in_flight, const NodeFunctions& sink) {
  RegisterCountingSource(registry, num_words, in_flight);
  NodeFunctions pass;
  pass.process = [](NodeContext& context) {
    context.Send("out", context.inputs().Get("in"));
    return Process::kNeedInput;
  };
  RegisterFunctions(registry, WordContract("pass", {"in"}, {"out"}), pass);
  RegisterFunctions(registry, WordContract("end", {"in"}, {}), sink);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  std::string last = "read";
  for (int i = 0; i < num_nodes; ++i) {
    const std::string name = "pass" + std::to_string(i);
    builder.Node(name, "pass").In(last);
    last = name;
  }
  builder.Node("end", "end").In(last);
  return builder.Check(registry);
}

TEST(NodeRunsTest, ANodeWithoutInputIsNotRunForRoom) {
  int num_taken = 0;
  NodeFunctions end;
  end.process = [&num_taken](NodeContext&) {
    ++num_taken;
    return Process::kNeedInput;
  };
  Registry registry;
  CheckedGraph checked = Chain(registry, 800, 3, 1000, end);
  SetEdgeLimits(checked, {.packets = 8});
  CallerExecutor executor;
  Services services;
  SimulatedClock clock;  // on a slow machine a run would end by its time
  Graph graph(checked, executor, services, {.clock = &clock});
  graph.Start();
  int num_runs = 0;
  while (executor.RunOne()) ++num_runs;
  EXPECT_EQ(graph.Wait().status, RunStatus::kFinished);
  EXPECT_EQ(num_taken, 800);
  // Five nodes, each once for eight packets, and a few times at the start and the end.
  EXPECT_GE(num_runs, 5 * 100);
  EXPECT_LE(num_runs, 5 * 100 + 25);
}

// Its producer has no input and the source no credit: nobody waits for room, but what lies there is in the way.
TEST(NodeRunsTest, AFullEdgeIsRelievedThoughItsProducerWaitsForInput) {
  NodeFunctions end;
  end.process = [](NodeContext&) { return Process::kBlocked; };
  Registry registry;
  CheckedGraph checked = Chain(registry, 6, 1, 3, end);
  SetEdgeLimits(checked, {.packets = 2});
  checked.nodes[0].contract.source = SourceKind::kLive;
  CallerExecutor executor;
  Services services;
  Graph graph(checked, executor, services);
  graph.Start();
  executor.RunAll();
  const RunResult result = graph.Wait();
  ASSERT_EQ(result.status, RunStatus::kFailed);  // once nothing is left to drop
  EXPECT_THAT(result.error->message, testing::HasSubstr("is blocked, but nobody holds its Waker"));
  EXPECT_GE(result.edges[1].drops.at("stall"), 3u);
}

}  // namespace
}  // namespace percept::graph
