// SPDX-License-Identifier: Apache-2.0
// Instances that come and go on every executor, from several threads at once.
#include <thread>

#include "tests/graph/instance_run.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

class InstanceThreadsTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  // Sources that count, as fast as they can or up to a number; parallel nodes behind them.
  InstanceThreadsTest() : executor_(GetParam().make()) {
    registry_ = WordRegistry();
    RegisterCountingSource(registry_, 1 << 30);
    Contract few = WordSourceContract("source.few");
    registry_.Register(few, [](const ParamValues&, const Services&) {
      NodeFunctions functions;
      functions.process = [num = std::make_shared<int>(0)](NodeContext& context) {
        if (*num == 20) return Process::kFinished;
        const std::string text = std::to_string(*num);
        context.NewItem(text);
        context.Send("out", MakeWord(text, 0).WithTimestamp(context.start_time() + Duration::Milliseconds((*num)++)));
        return Process::kHaveOutput;
      };
      return std::make_unique<FunctionNode>(functions);
    });
    Contract many = WordSourceContract("source.many");
    registry_.Register(many, [](const ParamValues&, const Services&) {
      NodeFunctions functions;
      functions.process = [num = std::make_shared<int64_t>(0)](NodeContext& context) {
        const std::string text = std::to_string(*num);
        context.NewItem(text);
        context.Send("out", MakeWord(text, 0).WithTimestamp(context.start_time() + Duration::Milliseconds((*num)++)));
        return Process::kHaveOutput;
      };
      return std::make_unique<FunctionNode>(functions);
    });
    Contract lanes = WordContract("word.lanes", {"in"}, {"out"});
    lanes.parallel = true;
    NodeFunctions pass;
    pass.process = [](NodeContext& context) {
      context.Send("out", context.inputs().Get("in"));
      return Process::kNeedInput;
    };
    RegisterFunctions(registry_, lanes, pass);
    Contract merge = WordContract("word.merge", {}, {});
    merge.dynamic_inputs = DynamicInputs{.types = {"Word"}, .doc = "Words.", .grows = true};
    NodeFunctions count;
    count.process = [this](NodeContext& context) {
      for (const std::string& port : context.inputs().ports()) {
        num_arrived_ += context.inputs().All(port).size();
      }
      return Process::kNeedInput;
    };
    registry_.Register(
        {.contract = merge,
         .make = [count](const ParamValues&, const Services&) { return std::make_unique<FunctionNode>(count); },
         .join = [](const ParamValues&) { return JoinSpec{.need_all = false}; }});
  }

  void Start(const std::string& nodes, int64_t forced_full = 0) {
    const std::string text = R"(percept: 1
templates:
  few:
    nodes:
      read: { type: source.few }
      pass: { type: word.lanes, in: read, parallel: 3 }
    outputs: { words: pass }
    feeds: { mix: words }
  many:
    nodes:
      read: { type: source.many }
      pass: { type: word.lanes, in: read, parallel: 2 }
    outputs: { words: pass }
    feeds: { mix: words }
nodes:
  mix: { type: word.merge }
)" + nodes;
    GraphOptions options;
    options.keep_open = true;
    options.forced_full = forced_full;
    graph_ = std::make_unique<Graph>(Check(Bind(ParsePipeline(text, "g.yaml"), {}), registry_), *executor_, services_,
                                     options);
    graph_->Start();
  }

  Registry registry_;
  Services services_;
  std::atomic<uint64_t> num_arrived_{0};
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Graph> graph_;
};

TEST_P(InstanceThreadsTest, EverythingThatWasSentArrives) {
  for (const int64_t forced_full : {0, 3}) {
    num_arrived_ = 0;
    Start("  busy: { use: many }\n", forced_full);
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([this, t] {
        for (int i = 0; i < 20; ++i) {
          const std::string name = "t" + std::to_string(t) + "-" + std::to_string(i);
          graph_->Add(i % 2 == 0 ? "few" : "many", name, {});
          graph_->Remove(name, Duration::Seconds(3600));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    graph_->Drain(Duration::Seconds(3600));
    const RunResult result = graph_->Wait();
    EXPECT_EQ(result.status, RunStatus::kDrained);
    EXPECT_EQ(result.num_failed_items, 0u);
    uint64_t num_sent = 0, num_left = 0;
    for (const NodeCounts& node : result.nodes) num_sent += node.node.ends_with("/read") ? node.sent : 0;
    for (const NodeCounts& node : result.removed_nodes) num_sent += node.node.ends_with("/read") ? node.sent : 0;
    for (const EdgeCounts& edge : result.edges) {
      for (const auto& [reason, num] : edge.drops) num_left += num;
    }
    EXPECT_EQ(num_left, 0u);
    EXPECT_EQ(num_arrived_, num_sent);
    graph_.reset();
  }
}

TEST_P(InstanceThreadsTest, AThousandComeAndGoBesideOneThatRuns) {
  Start("  busy: { use: many }\n");
  for (int i = 0; i < 1000; ++i) {
    graph_->Add("few", "n" + std::to_string(i), {});
    graph_->Remove("n" + std::to_string(i), Duration::Seconds(3600));
  }
  graph_->Drain(Duration::Seconds(3600));
  const RunResult result = graph_->Wait();
  EXPECT_EQ(result.status, RunStatus::kDrained);
  EXPECT_EQ(result.num_failed_items, 0u);
  // Those whose end came with that of the run are still there by name.
  EXPECT_LE(result.removed_nodes.size(), 2u);
}

TEST_P(InstanceThreadsTest, CutOffWhileItSends) {
  Start("");
  for (int i = 0; i < 100; ++i) {
    const std::string name = "n" + std::to_string(i);
    graph_->Add("many", name, {});
    graph_->Remove(name, Duration::Seconds(0));
  }
  graph_->Drain(Duration::Seconds(3600));
  const RunResult result = graph_->Wait();
  EXPECT_TRUE(result.status == RunStatus::kDrained || result.status == RunStatus::kFinished);
  uint64_t num_sent = 0;
  for (const NodeCounts& node : result.nodes) num_sent += node.node.ends_with("/read") ? node.sent : 0;
  for (const NodeCounts& node : result.removed_nodes) num_sent += node.node.ends_with("/read") ? node.sent : 0;
  EXPECT_EQ(num_arrived_ + result.num_failed_items, num_sent) << "an item was lost without a word";
}

TEST_P(InstanceThreadsTest, ComesToAnEndWhoeverIsFaster) {
  for (int round = 0; round < 20; ++round) {
    Start("  busy: { use: many }\n");
    const auto change = [this](int t) {
      for (int i = 0; i < 10; ++i) {
        const std::string name = "t" + std::to_string(t) + "-" + std::to_string(i);
        WhyRefused([&] { graph_->Add("many", name, {}); });
        if (i % 2 == 0) WhyRefused([&] { graph_->Remove(name, Duration::Seconds(0)); });
      }
    };
    std::thread one([&] { change(1); }), two([&] { change(2); });
    std::thread end([&] {
      if (round % 3 != 0) graph_->Drain(Duration::Seconds(3600));
      if (round % 3 != 1) graph_->Cancel();
    });
    one.join();
    two.join();
    end.join();
    const RunResult result = graph_->Wait();
    EXPECT_TRUE(result.status == RunStatus::kCancelled || result.status == RunStatus::kDrained);
    EXPECT_FALSE(result.error) << result.error->message;
    graph_.reset();
  }
}

INSTANTIATE_TEST_SUITE_P(Executors, InstanceThreadsTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::graph
