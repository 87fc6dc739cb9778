// SPDX-License-Identifier: Apache-2.0
// Random graphs of blocking edges and settled joins give the same packets in the same order on every executor, whatever
// room their edges have.
#include <gtest/gtest.h>

#include <random>

#include "graph/config/graph_builder.h"
#include "graph/run/graph.h"
#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

// A layered graph over one source of 40 words: every node reads one or two earlier ones; nodes that nobody reads get a
// sink.
CheckedGraph RandomGraph(uint32_t seed, const Registry& registry) {
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  GraphBuilder builder("random");
  builder.Node("n0", "source.count");
  std::vector<std::string> unread = {};
  const size_t num_nodes = 3 + below(8);
  std::vector<bool> is_read(num_nodes + 1, false);
  for (size_t i = 1; i <= num_nodes; ++i) {
    const std::string name = "n" + std::to_string(i);
    const size_t first = below(i), second = below(i);
    is_read[first] = true;
    switch (below(4)) {
      case 0:
        builder.Node(name, "word.append").In("n" + std::to_string(first)).Set("suffix", name);
        break;
      case 1:
        builder.Node(name, "word.odd").In("n" + std::to_string(first));
        break;
      case 2:
        builder.Node(name, "word.engine").In("n" + std::to_string(first)).Set("depth", static_cast<int>(1 + below(3)));
        break;
      default:
        is_read[second] = true;
        builder.Node(name, "word.join").In("a", "n" + std::to_string(first)).In("b", "n" + std::to_string(second));
    }
  }
  for (size_t i = 0; i <= num_nodes; ++i) {
    if (!is_read[i]) builder.Node("s" + std::to_string(i), "sink.record").In("n" + std::to_string(i));
  }
  return builder.Check(registry);
}

TEST(RandomGraphTest, GivesTheSameForAnyThreadsAndAnyRoom) {
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 40, /*in_flight=*/6);
  // Lets through only some of the words, and finds fault with others.
  NodeFunctions odd;
  odd.process = [](NodeContext& context) {
    const int64_t ms = context.inputs().time().nanoseconds() / 1000000;
    if (ms % 7 == 3) throw BadInputError("a seventh");
    if (ms % 3 != 0) context.Send("out", context.inputs().Get("in"));
    return Process::kNeedInput;
  };
  RegisterFunctions(registry, WordContract("word.odd", {"in"}, {"out"}), odd);
  for (uint32_t seed = 0; seed < 40; ++seed) {
    const CheckedGraph checked = RandomGraph(seed, registry);
    std::map<std::string, std::vector<std::string>> expected;
    bool is_first = true;
    for (const ExecutorCase& executor_case : AllExecutors()) {
      SCOPED_TRACE(executor_case.name + ", seed " + std::to_string(seed));
      Recorder recorder;
      FakeEngine engine(FakeEngine::Pace::kFree);
      Services services;
      services.Add(recorder);
      services.Add(engine);
      GraphOptions options;
      options.edge_limits.packets = 1 + seed % 3;
      const auto executor = executor_case.make();
      const RunResult result = Graph(checked, *executor, services, options).Run();
      ASSERT_EQ(result.status, RunStatus::kFinished) << result.error->message;
      if (is_first) expected = recorder.All();
      EXPECT_EQ(recorder.All(), expected);
      EXPECT_FALSE(expected.empty());
      is_first = false;
    }
  }
}

}  // namespace
}  // namespace percept::graph
