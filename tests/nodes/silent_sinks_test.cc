// SPDX-License-Identifier: Apache-2.0
#include "nodes/sink/silent_sinks.h"

#include <gtest/gtest.h>

#include <memory>

#include "graph/run/graph.h"
#include "nodes/payload/text.h"
#include "tests/nodes/node_run.h"

namespace percept::nodes {
namespace {

class CountingSender : public graph::Node {
 public:
  explicit CountingSender(int* num_sent) : num_sent_(num_sent) {}
  graph::Process Process(graph::NodeContext&) override {
    ++*num_sent_;
    return graph::Process::kNeedInput;
  }

 private:
  int* const num_sent_;
};

// A registry with a sink that sends, and with `outputs` a node that both sends and has an output.
graph::Registry SendingRegistry(const Runtime& runtime, std::vector<graph::OutputPort> outputs, int* num_sent) {
  graph::Registry registry = runtime.registry();
  graph::Contract contract{.type = "test.send",
                           .doc = "Sends.",
                           .example = "out: { type: test.send, in: read }",
                           .inputs = {{.name = "in", .doc = "what is sent"}},
                           .outputs = std::move(outputs),
                           .output = graph::OutputKind::kSent};
  registry.Register(contract, [num_sent](const graph::ParamValues&, const graph::Services&) {
    return std::make_unique<CountingSender>(num_sent);
  });
  return registry;
}

constexpr char kSending[] =
    "percept: 1\nnodes:\n  read: { type: source.script, count: 3 }\n  out: { type: test.send, in: read }\n";

TEST(SilentSinks, DoNotSend) {
  Runtime runtime(TestOptions());
  int num_sent = 0;
  const graph::CheckedGraph checked =
      graph::Check(graph::ParsePipeline(kSending, "p.yaml"), SendingRegistry(runtime, {}, &num_sent));
  const graph::RunResult result = graph::Graph(WithSilentSinks(checked), runtime.executor(), runtime.services()).Run();
  EXPECT_EQ(result.status, graph::RunStatus::kFinished);
  EXPECT_EQ(result.nodes[1].sets, 3u);
  EXPECT_EQ(num_sent, 0);
  graph::Graph(checked, runtime.executor(), runtime.services()).Run();
  EXPECT_EQ(num_sent, 3);
}

TEST(SilentSinks, RefuseANodeThatSendsOnTheWay) {
  Runtime runtime(TestOptions());
  int num_sent = 0;
  const graph::CheckedGraph checked =
      graph::Check(graph::ParsePipeline(kSending, "p.yaml"),
                   SendingRegistry(runtime, {{.name = "out", .type = "Text", .doc = "what was sent"}}, &num_sent));
  try {
    WithSilentSinks(checked);
    ADD_FAILURE() << "not refused";
  } catch (const graph::DefinitionError& error) {
    EXPECT_STREQ(error.what(),
                 "p.yaml:4:3: node 'out' (test.send) writes and has outputs: it cannot run without writing");
  }
}

}  // namespace
}  // namespace percept::nodes
