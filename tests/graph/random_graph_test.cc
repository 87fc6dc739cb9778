// SPDX-License-Identifier: Apache-2.0
// Random graphs of blocking edges and settled joins give the same packets in the same order for any number of threads,
// whatever room their edges have, whatever holds the workers up.
#include <gtest/gtest.h>

#include <random>

#include "graph/config/graph_builder.h"
#include "graph/run/caller_executor.h"
#include "graph/run/graph.h"
#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/edge_limits.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

Registry RandomRegistry() {
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
  return registry;
}

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

// Several instances of every node that is done with a set when it gives it back.
void RunInParallel(CheckedGraph& checked, uint32_t seed) {
  for (CheckedNode& node : checked.nodes) {
    const bool may = node.contract.type.starts_with("word.") && node.contract.type != "word.engine";
    if (may) node.parallel = 1 + (seed + static_cast<uint32_t>(node.name.back())) % 4;
  }
}

// Holds a worker up now and then, for a while that a seed decides.
class Delays : public Observer {
 public:
  explicit Delays(uint32_t seed) : next_(seed) {}
  void OnEvent(const TraceEvent&) override {
    const uint32_t draw = next_.fetch_add(0x9e3779b9u) * 0x85ebca6bu;
    if (draw % 16 != 0) return;
    for (uint32_t i = (draw >> 8) % 8192; i > 0; --i) left_.store(i, std::memory_order_relaxed);
  }

 private:
  std::atomic<uint32_t> next_;
  std::atomic<uint32_t> left_{0};
};

// Both kinds of executors, and plain threads from 1 to 16: four of these numbers for each seed.
std::vector<ExecutorCase> ExecutorsFor(uint32_t seed) {
  std::vector<ExecutorCase> cases = AllExecutors();
  for (const uint32_t num : {3 + seed % 2, 6 + seed % 5, 11 + seed % 5, 16u}) {
    cases.push_back(MakeExecutorCase<ThreadExecutor>("Threads", static_cast<int>(num)));
  }
  return cases;
}

TEST(RandomGraphTest, GivesTheSameForAnyThreadsAndAnyRoom) {
  const Registry registry = RandomRegistry();
  for (uint32_t seed = 0; seed < 40; ++seed) {
    CheckedGraph checked = RandomGraph(seed, registry);
    SetEdgeLimits(checked, {.packets = 1 + seed % 3});
    std::map<std::string, std::vector<std::string>> expected;
    bool is_first = true;
    int64_t forced_full = 0;
    for (const ExecutorCase& executor_case : ExecutorsFor(seed)) {
      SCOPED_TRACE(executor_case.name + ", seed " + std::to_string(seed));
      Delays delays(seed);
      GraphOptions options;
      options.observer = &delays;
      options.forced_full = std::exchange(forced_full, 3 - forced_full);
      Recorder recorder;
      FakeEngine engine(FakeEngine::Pace::kFree);
      Services services;
      services.Add(recorder);
      services.Add(engine);
      const auto executor = executor_case.make();
      const RunResult result = Graph(checked, *executor, services, options).Run();
      ASSERT_EQ(result.status, RunStatus::kFinished) << result.error->message;
      if (is_first) expected = recorder.All();
      EXPECT_EQ(recorder.All(), expected);
      EXPECT_FALSE(expected.empty());
      is_first = false;
      RunInParallel(checked, seed);
    }
  }
}

// Other joins and edges that drop, as a seed decides; tolerances need edges that hold as much.
void MixUp(CheckedGraph& checked, uint32_t seed) {
  std::mt19937 random(seed);
  for (CheckedNode& node : checked.nodes) {
    constexpr JoinKind kKinds[] = {JoinKind::kSettled, JoinKind::kLatest, JoinKind::kNearest};
    node.join.kind = kKinds[random() % 3];
    node.join.tolerance = Duration::Milliseconds(random() % 4);
    node.join.need_all = random() % 2 == 0;
  }
  for (CheckedEdge& edge : checked.edges) {
    constexpr DropPolicy kPolicies[] = {DropPolicy::kBlock, DropPolicy::kDropOldest, DropPolicy::kDropNewest,
                                        DropPolicy::kLatest};
    edge.limits.policy = kPolicies[random() % 4];
    edge.limits.packets = 6 + random() % 3;
  }
}

std::map<std::string, std::vector<std::string>> RecordOnOneThread(const CheckedGraph& checked) {
  Recorder recorder;
  Services services;
  services.Add(recorder);
  CallerExecutor executor;
  SimulatedClock clock;
  GraphOptions options;
  options.clock = &clock;
  Graph graph(checked, executor, services, options);
  graph.Start();
  executor.RunAll();
  EXPECT_EQ(graph.Wait().status, RunStatus::kFinished);
  return recorder.All();
}

TEST(RandomGraphTest, OtherJoinsAndPoliciesEndAndGiveTheSameOnOneThread) {
  const Registry registry = RandomRegistry();
  for (uint32_t seed = 0; seed < 40; ++seed) {
    CheckedGraph checked = RandomGraph(seed, registry);
    MixUp(checked, seed);
    // The engine has a thread of its own: nothing gives the same twice with it.
    for (CheckedNode& node : checked.nodes) {
      if (node.contract.type == "word.engine") node.make = registry.Find("word.odd")->make;
    }
    for (const ExecutorCase& executor_case : AllExecutors()) {
      SCOPED_TRACE(executor_case.name + ", seed " + std::to_string(seed));
      Recorder recorder;
      Services services;
      services.Add(recorder);
      const auto executor = executor_case.make();
      const RunResult result = Graph(checked, *executor, services).Run();
      ASSERT_EQ(result.status, RunStatus::kFinished) << result.error->message;
    }
    EXPECT_EQ(RecordOnOneThread(checked), RecordOnOneThread(checked)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace percept::graph
