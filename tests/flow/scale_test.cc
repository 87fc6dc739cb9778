// SPDX-License-Identifier: Apache-2.0
// Graphs that are large, and one whose source never says a word again.
#include <gtest/gtest.h>

#include <semaphore>
#include <string>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/run/graph.h"
#include "tests/flow/flow_registry.h"
#include "tests/support/executors.h"

namespace percept::nodes {
namespace {

using graph::RunResult;
using graph::RunStatus;

class FlowScaleTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  FlowScaleTest() { services_.Add(recorder_); }

  static graph::CheckedGraph CheckText(const std::string& nodes) {
    return Check(Bind(graph::ParsePipeline("percept: 1\nnodes:\n" + nodes, "scale.yaml"), {}), FlowRegistry());
  }

  RunResult Run(const graph::CheckedGraph& checked) {
    const auto executor = GetParam().make();
    graph::GraphOptions options;
    options.forced_full = 3;
    return graph::Graph(checked, *executor, services_, options).Run();
  }

  Recorder recorder_;
  graph::Services services_;
};

TEST_P(FlowScaleTest, AThousandSourcesGoIntoOneStream) {
  constexpr int kNumSources = 1000;
  std::string nodes, inputs;
  for (int i = 0; i < kNumSources; ++i) {
    const std::string name = "s" + std::to_string(i);
    nodes.append("  ").append(name).append(": { type: source.script, count: 3, interval: 10ms, text: ");
    nodes.append(name).append("- }\n");
    inputs.append(name).append(": ").append(name).append(", ");
  }
  nodes += "  all: { type: flow.merge, in: { " + inputs + " } }\n  out: { type: sink.record, in: all }\n";
  const RunResult result = Run(CheckText(nodes));
  ASSERT_EQ(result.status, RunStatus::kFinished) << result.error->message;
  const std::vector<std::string> lines = recorder_.Lines("out");
  ASSERT_EQ(lines.size(), 3u * kNumSources);
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string text = "s" + std::to_string(i % kNumSources) + "-" + std::to_string(i / kNumSources);
    const std::string time = i < kNumSources ? "0s " : i < 2 * kNumSources ? "0.01s " : "0.02s ";
    ASSERT_EQ(lines[i], time + text);
  }
}

TEST_P(FlowScaleTest, TwoHundredNodesInARow) {
  std::string nodes = "  n0: { type: source.script, count: 50, interval: 10ms, in_flight: 3 }\n";
  for (int i = 1; i < 199; ++i) {
    nodes += "  n" + std::to_string(i) + ": { type: flow.tee, in: n" + std::to_string(i - 1) + " }\n";
  }
  const RunResult result = Run(CheckText(nodes + "  out: { type: sink.record, in: n198 }\n"));
  ASSERT_EQ(result.status, RunStatus::kFinished) << result.error->message;
  EXPECT_EQ(recorder_.Lines("out").size(), 50u);
  for (const graph::NodeCounts& node : result.nodes) {
    EXPECT_EQ(node.sent, node.node == "out" ? 0u : 50u) << node.node;
  }
}

// Tells when a packet is sent.
class SentObserver : public graph::Observer {
 public:
  void OnEvent(const graph::TraceEvent& event) override {
    if (event.kind == graph::TraceKind::kSent && event.node == "read") sent_.release();
  }
  void Await() { sent_.acquire(); }

 private:
  std::counting_semaphore<> sent_{0};
};

TEST_P(FlowScaleTest, ASourceThatSaysNothingMoreIsCancelled) {
  const graph::CheckedGraph checked = CheckText(
      "  read: { type: source.script, items: [ { t: 0ms, text: a }, { block: true } ] }\n"
      "  some: { type: flow.batch, in: read, size: 3 }\n"
      "  out:  { type: sink.record, in: some }\n");
  SentObserver observer;
  graph::GraphOptions options;
  options.observer = &observer;
  const auto executor = GetParam().make();
  graph::Graph graph(checked, *executor, services_, options);
  graph.Start();
  observer.Await();
  graph.Cancel();
  EXPECT_EQ(graph.Wait().status, RunStatus::kCancelled);
  EXPECT_TRUE(recorder_.Lines("out").empty());
}

INSTANTIATE_TEST_SUITE_P(All, FlowScaleTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::nodes
