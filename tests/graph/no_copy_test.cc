// SPDX-License-Identifier: Apache-2.0
// What is counted by allocations: a packet's payload is never copied on its way, a graph that has warmed up takes no
// memory to pass it on, and a large graph is checked in bounded work.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/config/graph_builder.h"
#include "graph/config/structure.h"
#include "graph/queue/edge.h"
#include "graph/run/graph.h"
#include "tests/graph/function_node.h"
#include "tests/support/counting_new.h"
#include "tests/support/executors.h"

// A 1080p picture. To copy it takes memory.
struct Frame {
  std::vector<uint8_t> pixels;
};

template <>
struct percept::graph::PayloadTraits<Frame> {
  static constexpr const char* kName = "Frame";
  static size_t Bytes(const Frame& frame) { return frame.pixels.size(); }
};

namespace percept::graph {
namespace {

constexpr size_t kFrameBytes = size_t{1920} * 1080 * 3;
constexpr int kNumNodes = 10;

Contract FrameContract(const std::string& type, const std::vector<std::string>& inputs,
                       const std::vector<std::string>& outputs) {
  Contract contract = WordContract(type, inputs, outputs);
  for (InputPort& port : contract.inputs) port.types = {"Frame"};
  for (OutputPort& port : contract.outputs) port.type = "Frame";
  return contract;
}

class NoCopyTest : public testing::TestWithParam<ExecutorCase> {};

TEST_P(NoCopyTest, AFrameCrossesTenNodesWithoutAnAllocation) {
  std::vector<const uint8_t*> sent, received;
  Registry registry;
  Contract source = FrameContract("frame.source", {}, {"out"});
  source.source = SourceKind::kBatch;
  source.in_flight = 1;
  NodeFunctions send_two;  // the first one makes the graph take what it needs
  send_two.process = [&](NodeContext& context) {
    if (sent.size() == 2) return Process::kFinished;
    context.NewItem("frame");
    const auto time = Time::Milliseconds(static_cast<int64_t>(sent.size()));
    Packet packet = Packet::Make(Frame{std::vector<uint8_t>(kFrameBytes)}, time);
    sent.push_back(packet.Get<Frame>().pixels.data());
    counts = sent.size() == 2;
    context.Send("out", std::move(packet));
    return Process::kHaveOutput;
  };
  RegisterFunctions(registry, source, send_two);
  NodeFunctions pass;
  pass.process = [](NodeContext& context) {
    context.Send("out", context.inputs().Get("in"));
    return Process::kNeedInput;
  };
  RegisterFunctions(registry, FrameContract("frame.pass", {"in"}, {"out"}), pass);
  NodeFunctions keep;
  keep.process = [&](NodeContext& context) {
    counts = false;
    received.push_back(context.inputs().Get("in").Get<Frame>().pixels.data());
    return Process::kNeedInput;
  };
  RegisterFunctions(registry, FrameContract("frame.sink", {"in"}, {}), keep);
  GraphBuilder builder("frames");
  builder.Node("n0", "frame.source");
  for (int i = 1; i <= kNumNodes; ++i) {
    builder.Node("n" + std::to_string(i), "frame.pass").In("n" + std::to_string(i - 1));
  }
  builder.Node("end", "frame.sink").In("n" + std::to_string(kNumNodes));
  const auto executor = GetParam().make();
  const Services services;
  sent.reserve(2);
  num_allocations = 0;
  const RunResult result = Graph(builder.Check(registry), *executor, services).Run();
  counts = false;
  ASSERT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(sent.size(), 2u);
  EXPECT_EQ(received, sent);
  EXPECT_EQ(num_allocations, 0);
}

INSTANTIATE_TEST_SUITE_P(Executors, NoCopyTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& executor) { return executor.param.name; });

// Allocations to check a ladder of forks and joins, to work out its structure, and to make and run it.
int AllocationsOfLadder(int num_stages) {
  Registry registry = WordRegistry();
  registry.Register({.contract = WordContract("word.slow", {"in"}, {"out"}),
                     .make = [](const ParamValues&, const Services&) { return std::make_unique<JoinNode>(); },
                     .timing = [](const ParamValues&) { return Timing{.holds_items = 2, .keeps_credits = true}; }});
  GraphBuilder builder("ladder");
  builder.Node("read", "source.script").Set("script", Value::List({}, {}));
  std::string last = "read";
  for (int i = 0; i < num_stages; ++i) {
    const std::string n = std::to_string(i);
    builder.Node("a" + n, "word.slow").In(last);
    builder.Node("b" + n, "word.append").In(last);
    builder.Node("j" + n, "word.join").In("a", "a" + n).In("b", "b" + n);
    last = "j" + n;
  }
  const auto executor = MakeExecutorCase<ThreadExecutor>("Threads", 1).make();
  const Services services;
  num_allocations = 0;
  counts = true;
  const CheckedGraph checked = builder.Check(registry);
  const Structure structure = StructureOf(checked);
  EXPECT_EQ(Graph(checked, *executor, services).Run().status, RunStatus::kFinished);
  counts = false;
  EXPECT_EQ(structure.delays.size(), 1u);
  return num_allocations;
}

// What an edge counts for short words is what they take, beside what the allocator keeps for itself.
TEST(PacketBytesTest, AreWhatIsAllocated) {
  class Nobody : public EdgeUser {
   public:
    void OnEdgeChanged() override {}
  };
  constexpr size_t kNumWords = 1000;
  const std::string label = "a label that does not fit into a string itself";
  Nobody nobody;
  Edge edge("a.out -> b.in", {.packets = kNumWords}, nobody, nobody);
  Edge::Level level;
  const auto fill = [&] {
    for (size_t i = 0; i < kNumWords; ++i) {
      Packet packet = MakeWord("w", 0, sizeof(Word));
      Origin origin;
      origin.item = std::make_shared<const Item>(label, i, nullptr);
      packet = std::move(packet).WithOrigin(std::move(origin));
      edge.Push(packet, Time::Nanoseconds(1), level);
    }
  };
  fill();
  for (Packet packet; edge.Pop(Time::Max(), packet, level);) {
  }
  num_allocated_bytes = 0;  // the places on the edge are there now
  counts = true;
  fill();
  counts = false;
  EXPECT_EQ(level.packets, kNumWords);
  EXPECT_EQ(level.bytes, num_allocated_bytes + kNumWords * (sizeof(Packet) + sizeof(Duration)));
}

// What is worked out about a chain of nodes takes memory by its length.
size_t BytesOfChain(int num_nodes) {
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 1);
  GraphBuilder builder("chain");
  builder.Node("read", "source.count");
  std::string last = "read";
  for (int i = 0; i < num_nodes; ++i) {
    const std::string name = "n" + std::to_string(i);
    builder.Node(name, "word.append").In(last).Set("suffix", "x");
    last = name;
  }
  builder.Node("out", "sink.words").In(last);
  const CheckedGraph checked = builder.Check(registry);
  num_allocated_bytes = 0;
  counts = true;
  const Structure structure = StructureOf(checked);
  counts = false;
  EXPECT_EQ(structure.delays.at(0).way.size(), static_cast<size_t>(num_nodes) + 2);
  return num_allocated_bytes;
}

TEST(BoundedWorkTest, TheStructureOfALongChainIsLinear) {
  EXPECT_LT(BytesOfChain(2000), 2.5 * static_cast<double>(BytesOfChain(1000)));
}

TEST(BoundedWorkTest, TwiceTheNodesAreAtMostFourTimesTheWork) {
  const int half = AllocationsOfLadder(33), whole = AllocationsOfLadder(66);  // 199 nodes
  EXPECT_GT(half, 0);
  EXPECT_LT(whole, 4.5 * half);
}

}  // namespace
}  // namespace percept::graph
