// SPDX-License-Identifier: Apache-2.0
// Instances of templates, written as users write them, that come and go while the graph runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "graph/run/caller_executor.h"
#include "graph/run/graph.h"
#include "graph/run/simulated_clock.h"
#include "tests/flow/flow_registry.h"
#include "tests/support/executors.h"

namespace percept::nodes {
namespace {

using graph::Arguments;
using graph::Duration;
using graph::RunResult;
using graph::RunStatus;
using testing::ElementsAre;

constexpr const char* kPipeline = R"(percept: 1
templates:
  talk:
    params: { text: { type: string, required: true } }
    nodes:
      read:
        type: source.script
        items:
          - { t: 0ms, text: "${text}1" }
          - { t: 40ms, text: "${text}2" }
          - { block: true }
      pass: { type: flow.tee, in: read }
    outputs: { lines: pass }
    feeds: { all: lines }
  burst:
    params: { text: { type: string, required: true } }
    nodes:
      read: { type: source.script, count: 50, interval: 10ms, text: "${text}-" }
      pass: { type: flow.tee, in: read }
    outputs: { lines: pass }
    feeds: { all: lines }
  pairs:
    params: { text: { type: string, required: true } }
    nodes:
      read:
        type: source.script
        items:
          - { t: 0ms, text: "${text}1" }
          - { t: 40ms, text: "${text}2" }
          - { t: 80ms, text: "${text}3" }
          - { block: true }
      two:  { type: flow.batch, in: read, size: 2 }
    outputs: { lists: two }
    feeds: { lists: lists }
nodes:
  all:   { type: flow.merge, of: Text }
  out:   { type: sink.record, in: all }
  lists: { type: flow.merge, of: "Text[]" }
  pairs: { type: sink.record, in: lists }
)";

Arguments With(const std::string& text) { return {{{"text", {text}}}, {}, {}}; }

graph::CheckedGraph CheckText(const std::string& text) {
  return Check(Bind(graph::ParsePipeline(text, "talk.yaml"), {}), FlowRegistry());
}

std::string FaultOf(const std::string& text) {
  try {
    CheckText(text);
  } catch (const graph::DefinitionError& error) {
    return error.what();
  }
  return "";
}

// On the thread of the test.
class FlowInstancesTest : public testing::Test {
 protected:
  FlowInstancesTest() {
    services_.Add(recorder_);
    options_.clock = &clock_;
    options_.keep_open = true;
    graph_ = std::make_unique<graph::Graph>(CheckText(kPipeline), executor_, services_, options_);
    graph_->Start();
    executor_.RunAll();
  }
  void TearDown() override {
    graph_->Cancel();
    executor_.RunAll();
  }
  void Add(const std::string& template_name, const std::string& name) {
    graph_->Add(template_name, name, With(name));
    executor_.RunAll();
  }
  void Remove(const std::string& name) {
    graph_->Remove(name);
    executor_.RunAll();
  }

  Recorder recorder_;
  graph::Services services_;
  graph::SimulatedClock clock_;
  graph::CallerExecutor executor_;
  graph::GraphOptions options_;
  std::unique_ptr<graph::Graph> graph_;
};

TEST_F(FlowInstancesTest, OneAfterTheOther) {
  Add("talk", "a");
  EXPECT_THAT(recorder_.Lines("out"), ElementsAre("0s a1", "0.04s a2"));
  Add("talk", "b");
  EXPECT_THAT(recorder_.Lines("out"), ElementsAre("0s a1", "0.04s a2"));
  Remove("a");
  EXPECT_THAT(recorder_.Lines("out"), ElementsAre("0s a1", "0.04s a2", "0.040000001s b1", "0.080000001s b2"));
  Add("burst", "c");
  EXPECT_EQ(recorder_.Lines("out").size(), 4u) << "b may still say something";
  Remove("b");
  EXPECT_EQ(recorder_.Lines("out").size(), 54u);
  EXPECT_EQ(recorder_.Lines("out").back(), "0.570000002s c-49");
  EXPECT_THAT(graph_->instances(), ElementsAre("c"));
}

TEST_F(FlowInstancesTest, RemovedMidItemWhatIsInABatchComesOut) {
  Add("pairs", "a");
  EXPECT_THAT(recorder_.Lines("pairs"), ElementsAre("0.04s [a1 a2]"));
  Remove("a");
  EXPECT_THAT(recorder_.Lines("pairs"), ElementsAre("0.04s [a1 a2]", "0.08s [a3] partial"));
  EXPECT_THAT(graph_->instances(), ElementsAre());
  graph_->Drain(Duration::Seconds(10));
  executor_.RunAll();
  const RunResult result = graph_->Wait();
  EXPECT_EQ(result.num_failed_items, 0u);
  ASSERT_EQ(result.removed_nodes.size(), 2u);
  EXPECT_EQ(result.removed_nodes[1].node, "pairs/two");
  EXPECT_EQ(result.removed_nodes[1].sent, 2u);
}

TEST_F(FlowInstancesTest, TypesAreComparedBeforeAnythingStarts) {
  std::string text = kPipeline;
  text.replace(text.find("of: Text"), 8, "of: Word");
  const graph::CheckedGraph checked = CheckText(text);
  try {
    checked.CheckPart("talk", "a", With("a"));
    ADD_FAILURE() << "not refused";
  } catch (const graph::DefinitionError& error) {
    EXPECT_STREQ(error.what(),
                 "a: input 'a' of node 'all' (flow.merge) takes Word, but output 'out' of node 'a/pass' (flow.tee) at "
                 "talk.yaml:12:7 gives Text");
  }
  text = kPipeline;
  text.replace(text.find(", of: Text }"), 12, " }");
  EXPECT_EQ(FaultOf(text),
            "talk.yaml:36:3: output 'out' of node 'all' (flow.merge) has the type of its input 'in', which is not "
            "connected: write of: TYPE");
}

// Tells how many packets the sink has got, and the source `busy` has sent.
class CountingObserver : public graph::Observer {
 public:
  void OnEvent(const graph::TraceEvent& event) override {
    const std::lock_guard lock(mutex_);
    num_got_ += event.kind == graph::TraceKind::kRunEnd && event.node == "out" ? 1 : 0;
    num_sent_ += event.kind == graph::TraceKind::kSent && event.node == "busy/read" ? 1 : 0;
    changed_.notify_all();
  }
  void AwaitSent(int num) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return num_sent_ == num; });
  }
  void AwaitGot(int num) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return num_got_ == num; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int num_got_ = 0, num_sent_ = 0;
};

class FlowInstancesOnThreadsTest : public testing::TestWithParam<ExecutorCase> {};

TEST_P(FlowInstancesOnThreadsTest, BesideAnotherEachSaysAllItHasInOrder) {
  // The other one has said all that it will, and holds them up until it is removed.
  std::string text = std::string(kPipeline) + "  busy: { use: long }\n";
  text.insert(text.find("nodes:\n  all"), R"(  long:
    nodes:
      read: { type: source.script, items: [ { t: 0ms, text: first }, { block: true } ] }
    outputs: { lines: read }
    feeds: { all: lines }
)");
  for (const int64_t forced_full : {0, 3}) {
    Recorder recorder;
    graph::Services services;
    services.Add(recorder);
    CountingObserver observer;
    graph::GraphOptions options;
    options.observer = &observer;
    options.keep_open = true;
    options.forced_full = forced_full;
    const auto executor = GetParam().make();
    graph::Graph graph(CheckText(text), *executor, services, options);
    graph.Start();
    for (const char* name : {"a", "b", "c", "d"}) graph.Add("burst", name, With(name));
    observer.AwaitSent(1);
    graph.Remove("busy");
    observer.AwaitGot(201);
    for (const char* name : {"a", "b", "c", "d"}) graph.Remove(name);
    graph.Drain(Duration::Seconds(3600));
    const RunResult result = graph.Wait();
    // Drained where the drain came before a removed source had closed.
    EXPECT_THAT(result.status, testing::AnyOf(RunStatus::kFinished, RunStatus::kDrained));
    EXPECT_EQ(result.num_failed_items, 0u);
    std::map<std::string, std::vector<std::string>> said;
    for (const std::string& line : recorder.Lines("out")) {
      const std::string word = line.substr(line.find(' ') + 1);
      said[word.substr(0, word.find('-'))].push_back(word);
    }
    EXPECT_THAT(said["first"], ElementsAre("first"));
    for (const std::string name : {"a", "b", "c", "d"}) {
      ASSERT_EQ(said[name].size(), 50u);
      for (size_t i = 0; i < 50; ++i) EXPECT_EQ(said[name][i], name + "-" + std::to_string(i));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Executors, FlowInstancesOnThreadsTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::nodes
