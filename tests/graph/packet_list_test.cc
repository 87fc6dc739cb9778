// SPDX-License-Identifier: Apache-2.0
#include "graph/packet/packet_list.h"

#include <gtest/gtest.h>

#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

TEST(PacketListTest, IsNamedByWhatIsInIt) {
  const Packet list = MakeList({{MakeWord("a", 0, 100), MakeWord("b", 1, 200)}}, Time::Milliseconds(0));
  EXPECT_STREQ(list.type().name, "Word[]");
  EXPECT_TRUE(list.Is<PacketList>());
  EXPECT_FALSE(list.Is<Word>());
  EXPECT_EQ(list.Get<PacketList>().packets[1].Get<Word>().text, "b");
  EXPECT_EQ(list.bytes(), sizeof(PacketList) + 300 + 3 * Packet::OverheadBytes());
  EXPECT_STREQ(MakeList({{list}}, Time::Milliseconds(0)).type().name, "Word[][]");
  EXPECT_FALSE(list.type() == MakeList({{list}}, Time::Milliseconds(0)).type());
  EXPECT_FALSE(MakeWord("a", 0).Is<PacketList>());
}

std::string Refusal(PacketList list) {
  try {
    MakeList(std::move(list), Time::Milliseconds(0));
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

TEST(PacketListTest, HoldsPacketsOfOneType) {
  EXPECT_EQ(Refusal({}), "a list without packets has no type");
  EXPECT_EQ(Refusal({{MakeWord("a", 0), Packet::Make(Number{1}, Time::Milliseconds(1))}}), "a list of Word and Number");
  EXPECT_EQ(Refusal({{Packet::MakeError({}, Time::Milliseconds(1))}}), "an empty packet or an error in a list");
}

// A port is checked by the list's name although each list brings a type of its own; errors pass on any port.
TEST(PacketListTest, PassesAPortOfItsType) {
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 4);
  Contract contract = WordContract("word.pair", {"in"}, {"out"});
  contract.outputs[0].type = "Word[]";
  registry.Register(contract, [](const ParamValues&, const Services&) {
    NodeFunctions functions;
    functions.process = [](NodeContext& context) {
      const Packet& in = context.inputs().Get("in");
      const Word& word = in.Get<Word>();
      if (word.text == "2") {
        context.Send("out", Packet::MakeError({.reason = "passed on", .node = "elsewhere"}, in.timestamp()));
      } else {
        context.Send("out", MakeList({{in, in}}, in.timestamp()));
      }
      return Process::kNeedInput;
    };
    return std::make_unique<FunctionNode>(functions);
  });
  Contract keep = WordContract("word.keep", {"in"}, {});
  keep.inputs[0].types = {"Word[]"};
  keep.accepts_errors = true;
  std::vector<std::string> seen;
  registry.Register(keep, [&seen](const ParamValues&, const Services&) {
    NodeFunctions functions;
    functions.process = [&seen](NodeContext& context) {
      const Packet& in = context.inputs().Get("in");
      seen.push_back(in.is_error() ? in.Get<ErrorPayload>().node : std::to_string(in.Get<PacketList>().packets.size()));
      return Process::kNeedInput;
    };
    return std::make_unique<FunctionNode>(functions);
  });
  GraphBuilder builder("pairs");
  builder.Node("read", "source.count");
  builder.Node("pair", "word.pair").In("read");
  builder.Node("keep", "word.keep").In("pair");
  const auto executor = AllExecutors().front().make();
  const Services services;
  const RunResult result = Graph(builder.Check(registry), *executor, services).Run();
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(seen, (std::vector<std::string>{"2", "2", "elsewhere", "2"}));
}

}  // namespace
}  // namespace percept::graph
