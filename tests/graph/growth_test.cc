// SPDX-License-Identifier: Apache-2.0
// One more use of a template, checked against a graph that runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/config/checked_graph.h"
#include "tests/support/word_nodes.h"

namespace percept::graph {
namespace {

constexpr const char* kPipeline = R"(percept: 1
params: { end: { type: string, default: "!" } }
templates:
  words:
    params: { script: { type: string, required: true }, mark: { type: string, default: "1" } }
    nodes:
      read: { type: source.script, script: [ { at: 0, word: "${script}" } ] }
      add:  { type: word.append, in: read, suffix: "${mark}${end}" }
    outputs: { words: add }
    feeds: { mix: words }
  tail:
    nodes: { add: { type: word.append, in: mix } }
nodes:
  one: { use: words, script: a }
  mix: { type: word.mix }
  out: { type: sink.words, in: mix }
)";

CheckedGraph Checked() { return Check(Bind(ParsePipeline(kPipeline, "g.yaml"), {}), WordRegistry()); }

Arguments With(std::map<std::string, std::vector<std::string>> values) { return {std::move(values), {}}; }

std::string FaultOf(const CheckedGraph& graph, const std::string& part, const std::string& name,
                    const Arguments& arguments) {
  try {
    graph.CheckPart(part, name, arguments);
  } catch (const DefinitionError& error) {
    return error.what();
  }
  return "";
}

TEST(GrowthTest, ChecksOneMoreUseOfATemplate) {
  const CheckedGraph graph = Checked();
  ASSERT_EQ(graph.nodes.size(), 4u);
  const GraphPart part = graph.CheckPart("words", "two", With({{"script", {"b${end}"}}}));
  ASSERT_EQ(part.nodes.size(), 2u);
  EXPECT_EQ(part.nodes[0].name, "two/read");
  // What a program gives is never filled in.
  EXPECT_EQ(part.nodes[0].params.Get<Value>("script").items()[0].Find("word")->scalar(), "b${end}");
  EXPECT_EQ(part.nodes[1].params.Get<std::string>("suffix"), "1!");
  ASSERT_EQ(part.edges.size(), 2u);
  EXPECT_EQ(part.edges[0].from_node, 5u);
  EXPECT_EQ(part.edges[0].to_node, 2u);    // mix
  EXPECT_EQ(part.edges[1].from_node, 4u);  // two/read
  EXPECT_EQ(part.edges[1].to_node, 5u);    // two/add
  EXPECT_THAT(part.fed_ports, testing::ElementsAre("two", ""));
  EXPECT_GT(part.nodes[1].depth, graph.nodes[2].depth);
}

TEST(GrowthTest, RefusesAPartAsAFileIsRefused) {
  const CheckedGraph graph = Checked();
  EXPECT_EQ(FaultOf(graph, "wrods", "two", {}), "two: unknown template 'wrods'; nearest: words");
  EXPECT_EQ(FaultOf(graph, "words", "two", {}),
            "two: parameter 'script' (string) is required and was not given (template 'words' at g.yaml:4:3)");
  EXPECT_EQ(FaultOf(graph, "words", "two", With({{"scrpt", {"a"}}})),
            "two: unknown key 'scrpt' in a use of template 'words'; nearest: script (template 'words' at g.yaml:4:3)");
  EXPECT_EQ(FaultOf(graph, "words", "mix", With({{"script", {"a"}}})), "mix: there is a node 'mix' already");
  EXPECT_EQ(FaultOf(graph, "words", "a.b", With({{"script", {"a"}}})),
            "a.b: 'a.b' is no name for a node: letters, digits, '_' and '-' only");
  EXPECT_EQ(FaultOf(graph, "tail", "two", {}),
            "g.yaml:12:44: node 'two/add' (word.append) reads node 'mix' (word.mix), which runs already: a part added "
            "to a running graph reads its own nodes only");
  const CheckedGraph plain =
      Check(Bind(ParsePipeline("percept: 1\nnodes:\n  read: { type: source.script, script: [] }\n", "p.yaml"), {}),
            WordRegistry());
  EXPECT_EQ(FaultOf(plain, "words", "two", {}), "two: the pipeline p.yaml has no templates");
}

}  // namespace
}  // namespace percept::graph
