// SPDX-License-Identifier: Apache-2.0
// What a checked graph holds, and the same graph built in code. The faults of files are under tests/pipelines/graph.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "graph/config/checked_graph.h"
#include "graph/config/graph_builder.h"
#include "graph/config/yaml_reader.h"
#include "tests/support/temp_folder.h"
#include "tests/support/word_nodes.h"

namespace percept::graph {
namespace {

constexpr const char* kDiamond = R"(percept: 1
description: Two ways
nodes:
  read:  { type: source.script, in_flight: 7, script: [] }
  left:  { type: word.append, in: read, suffix: "1" }
  right: { type: word.append, in: read.out }
  more:  { type: word.append, in: right }
  both:  { type: word.join, in: { a: left, b: more } }
  out:   { type: sink.words, in: both }
)";

std::string FaultOf(const std::function<void()>& function) {
  try {
    function();
  } catch (const DefinitionError& error) {
    return error.what();
  }
  return "";
}

TEST(CheckedGraphTest, ResolvesNodesEdgesAndDepths) {
  const CheckedGraph graph = Check(Bind(ParsePipeline(kDiamond, "d.yaml"), {}), WordRegistry());
  EXPECT_EQ(graph.description, "Two ways");
  ASSERT_EQ(graph.nodes.size(), 6u);
  EXPECT_EQ(graph.nodes[0].in_flight, 7);
  EXPECT_EQ(graph.nodes[1].params.Get<std::string>("suffix"), "1");
  EXPECT_EQ(graph.nodes[1].params.PositionOf("suffix").ToString(), "d.yaml:5:49");
  EXPECT_EQ(graph.nodes[2].params.Get<std::string>("suffix"), "");
  EXPECT_FALSE(graph.nodes[2].params.Has("count"));
  std::vector<int> depths;
  for (const CheckedNode& node : graph.nodes) depths.push_back(node.depth);
  EXPECT_THAT(depths, testing::ElementsAre(4, 2, 3, 2, 1, 0));
  ASSERT_EQ(graph.edges.size(), 6u);
  EXPECT_EQ(graph.EdgeName(graph.edges[4]), "more.out -> both.b");
  EXPECT_EQ(graph.edges[4].type, "Word");
  EXPECT_TRUE(graph.warnings.empty());
}

TEST(CheckedGraphTest, PrintsAsMermaid) {
  const CheckedGraph graph = Check(ParsePipeline("percept: 1\n"
                                                 "nodes:\n"
                                                 "  read: { type: source.script, script: [] }\n"
                                                 "  out: { type: sink.words, in: read }\n",
                                                 "m.yaml"),
                                   WordRegistry());
  EXPECT_EQ(ToMermaid(graph),
            "flowchart LR\n"
            "  n0[\"read<br/>source.script\"]\n"
            "  n1[\"out<br/>sink.words\"]\n"
            "  n0 -- \"out: Word\" --> n1\n");
}

TEST(CheckedGraphTest, ANodesOwnCheckRunsWithItsPorts) {
  Registry registry = WordRegistry();
  Contract contract = WordContract("word.picky", {"in"}, {});
  contract.params = {{.name = "part", .type = ParamType::kAny, .doc = "Names a port."}};
  registry.Register(
      contract, [](const ParamValues&, const Services&) { return std::make_unique<RecordNode>(); },
      [](const ParamValues& params, const std::vector<std::string>& ports) {
        const Value& part = params.Get<Value>("part");
        const std::string& port = part.Find("from")->scalar();
        if (std::count(ports.begin(), ports.end(), port) == 0) {
          throw DefinitionError(part.Find("from")->position(), "no port '" + port + "'");
        }
      });
  const std::string text =
      "percept: 1\nnodes:\n  read: { type: source.script, script: [] }\n"
      "  out: { type: word.picky, in: read, part: { from: ni } }\n";
  EXPECT_EQ(FaultOf([&] { Check(ParsePipeline(text, "p.yaml"), registry); }), "p.yaml:4:52: no port 'ni'");
}

TEST(CheckedGraphTest, ReadsFilesAndNamesThoseItCannot) {
  TempFolder folder;
  const std::string path = folder.Write("d.yaml", kDiamond);
  EXPECT_EQ(CheckFile(path, WordRegistry(), {}).nodes.size(), 6u);
  const std::string missing = (folder.path() / "none.yaml").string();
  EXPECT_EQ(FaultOf([&] { LoadPipeline(missing); }), missing + ": cannot be opened: No such file or directory");
  EXPECT_EQ(FaultOf([&] { LoadPipeline(folder.path().string()); }),
            folder.path().string() + ": is a folder, not a pipeline file");
  const std::string pipe = (folder.path() / "pipe.yaml").string();
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(FaultOf([&] { LoadPipeline(pipe); }), pipe + ": is a pipe, not a pipeline file");
  EXPECT_EQ(FaultOf([&] { LoadPipeline("/dev/zero"); }), "/dev/zero: is a device, not a pipeline file");
  EXPECT_EQ(FaultOf([&] { LoadPipeline(folder.Write("empty.yaml", "").string()); }),
            (folder.path() / "empty.yaml").string() + ":1:1: the file is empty");
}

TEST(GraphBuilderTest, BuildsTheSameGraph) {
  GraphBuilder builder("demo");
  builder.Node("read", "source.script").Set("script", Value::List({}, {}));
  builder.Node("left", "word.append").In("read").Set("suffix", "${1}").Set("count", 3).Set("mode", "fast");
  builder.Node("both", "word.join").In("a", "left.out").In("b", "read");
  const CheckedGraph graph = builder.Check(WordRegistry());
  EXPECT_EQ(graph.name, "demo");
  EXPECT_EQ(graph.nodes[1].params.Get<std::string>("suffix"), "${1}");  // nothing is filled in
  EXPECT_EQ(graph.nodes[1].params.Get<int64_t>("count"), 3);
  EXPECT_EQ(graph.EdgeName(graph.edges[2]), "read.out -> both.b");
}

TEST(GraphBuilderTest, NamesItselfInFaults) {
  GraphBuilder twice("demo");
  twice.Node("read", "source.script").Set("script", Value::List({}, {}));
  twice.Node("out", "sink.words").In("read").In("read");
  EXPECT_EQ(FaultOf([&] { twice.Check(WordRegistry()); }),
            "demo: input 'in' of node 'out' (sink.words) is connected twice");
  GraphBuilder same("demo");
  same.Node("read", "source.script").Set("script", Value::List({}, {}));
  same.Node("read", "source.script").Set("script", Value::List({}, {}));
  EXPECT_EQ(FaultOf([&] { same.Check(WordRegistry()); }), "demo: node 'read' twice");
  GraphBuilder number("demo");
  number.Node("read", "source.script").Set("script", Value::List({}, {}));
  number.Node("one", "word.append").In("read").Set("count", 2.5);
  EXPECT_EQ(FaultOf([&] { number.Check(WordRegistry()); }), "demo: 'count' must be int, found '2.5'");
}

TEST(BindTest, AnImpliedParameterMayBeGivenButNotDeclared) {
  const std::string text =
      "percept: 1\nparams: { }\nnodes:\n  read: { type: source.script, script: [] }\n"
      "  one: { type: word.append, in: read, suffix: \"${model}\" }\n";
  const PipelineDefinition pipeline = ParsePipeline(text, "p.yaml");
  Arguments arguments;
  arguments.implied = {{"model", "tiny"}};
  EXPECT_EQ(Check(Bind(pipeline, arguments), WordRegistry()).nodes[1].params.Get<std::string>("suffix"), "tiny");
  arguments.values = {{"model", {"large"}}};
  EXPECT_EQ(Check(Bind(pipeline, arguments), WordRegistry()).nodes[1].params.Get<std::string>("suffix"), "large");
  EXPECT_EQ(FaultOf([&] { Bind(pipeline, {}); }), "p.yaml:5:47: '${model}': no such parameter");
  const PipelineDefinition declared = ParsePipeline(
      "percept: 1\nparams: { model: { type: path } }\nnodes:\n  read: { type: source.script, script: [] }\n", "p.yaml");
  EXPECT_EQ(FaultOf([&] { Bind(declared, arguments); }),
            "p.yaml:2:11: `model` is a parameter every pipeline has; it is not declared");
}

TEST(BindTest, ListsStandAloneOrInsideLists) {
  const std::string text =
      "percept: 1\nparams: { input: { type: \"path[]\", required: true } }\nnodes:\n"
      "  read: { type: source.script, script: [ x, \"${input}\", \"${input.stem}\" ] }\n"
      "  two: { type: source.script, script: \"${input}\" }\n";
  const PipelineDefinition pipeline = ParsePipeline(text, "p.yaml");
  Arguments arguments;
  arguments.values = {{"input", {"dir/a.png"}}};
  const PipelineDefinition bound = Bind(pipeline, arguments);
  std::vector<std::string> items;
  for (const Value& item : bound.nodes[0].params[0].value.items()) items.push_back(item.scalar());
  EXPECT_THAT(items, testing::ElementsAre("x", "dir/a.png", "a"));
  EXPECT_EQ(bound.nodes[1].params[0].value.items().size(), 1u);
  arguments.values = {{"input", {"a", "b"}}};
  EXPECT_EQ(FaultOf([&] { Bind(pipeline, arguments); }), "p.yaml:4:57: '${input.stem}' needs one path, found 2");
}

TEST(YamlReaderTest, RefusesWhatAPipelineFileMayNotHold) {
  EXPECT_EQ(FaultOf([] { ReadYaml("a: 1\n---\nb: 2\n", "y"); }), "y:1:1: the file holds more than one document");
  EXPECT_EQ(FaultOf([] { ReadYaml("? [ a ]\n: b\n", "y"); }), "y:1:3: a key must be a scalar");
  EXPECT_EQ(FaultOf([] { ReadYaml("~: b\n", "y"); }), "y:1:1: a key must be a scalar");
  std::string deep;
  for (int i = 0; i < 2000; ++i) deep += "- ";
  EXPECT_THAT(FaultOf([&] { ReadYaml(deep + "x", "y"); }), testing::MatchesRegex("y:1:[0-9]+: nested too deep"));
  EXPECT_THAT(FaultOf([] { ReadYaml("a: \"b", "y"); }), testing::HasSubstr("not valid YAML"));
}

}  // namespace
}  // namespace percept::graph
