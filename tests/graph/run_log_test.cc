// SPDX-License-Identifier: Apache-2.0
// What a run says to the program's sinks while it runs.
#include "graph/run/run_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "graph/config/graph_builder.h"
#include "graph/node/condition.h"
#include "graph/run/graph.h"
#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/edge_limits.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int kNumWords = 6;

class RunLogTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  RunLogTest() {
    RegisterCountingSource(registry_, kNumWords);
    NodeFunctions functions;
    functions.process = [this](NodeContext& context) { return Work(context); };
    RegisterFunctions(registry_, WordContract("word.work", {"in"}, {"out"}), functions);
    services_.Add(recorder_);
    options_.clock = &clock_;
    options_.log = [this](const RunNote& note) {
      threads_.insert(std::this_thread::get_id());
      notes_.push_back(note);
    };
    options_.errors = [this](const ErrorPayload& error) { errors_.push_back(error.item + ": " + error.reason); };
  }

  CheckedGraph Checked() const {
    GraphBuilder builder("test");
    builder.Node("read", "source.count");
    builder.Node("work", "word.work").In("read");
    builder.Node("out", "sink.record").In("work");
    return builder.Check(registry_);
  }
  RunResult Run() {
    const auto executor = GetParam().make();
    return Graph(Checked(), *executor, services_, options_).Run();
  }

  // The words 1 and 2 meet a fault each, 3 is no good, 4 takes two tries.
  Process Work(NodeContext& context) {
    const std::string word = context.inputs().Get("in").Get<Word>().text;
    if (word == "1" || word == "2") throw std::runtime_error("no " + word);
    if (word == "3") throw BadInputError("bad " + word);
    if (word == "4" && ++num_tries_ < 2) throw TransientError("not yet");
    context.Send("out", context.inputs().Get("in"));
    return Process::kNeedInput;
  }

  Registry registry_ = WordRegistry();
  Recorder recorder_;
  Services services_;
  SimulatedClock clock_;
  GraphOptions options_;
  int num_tries_ = 0;
  std::vector<RunNote> notes_;
  std::vector<std::string> errors_;
  std::set<std::thread::id> threads_;
};

TEST_P(RunLogTest, SaysWhatHappensInItsOrderOnWorkers) {
  ASSERT_EQ(Run().status, RunStatus::kFinished);
  ASSERT_EQ(notes_.size(), 4u);
  EXPECT_EQ(notes_[0].text, "node 'work' (word.work) failed and is made anew: no 1");
  EXPECT_EQ(notes_[0].kind, RunNote::Kind::kRestart);
  EXPECT_EQ(notes_[1].text, "node 'work' (word.work) failed and is made anew: no 2");
  EXPECT_EQ(notes_[2].kind, RunNote::Kind::kWait);
  EXPECT_THAT(notes_[2].text, HasSubstr("node 'work' (word.work) waits "));
  EXPECT_THAT(notes_[2].text, HasSubstr(" to try again: not yet"));
  EXPECT_EQ(notes_[3].kind, RunNote::Kind::kRecover);
  EXPECT_EQ(notes_[3].text, "node 'work' (word.work) works again");
  EXPECT_THAT(errors_, ElementsAre("1: no 1", "2: no 2", "3: bad 3"));
  EXPECT_EQ(threads_.count(std::this_thread::get_id()), 0u);
}

TEST_P(RunLogTest, ASinkThatThrowsStopsTheGraph) {
  options_.log = [](const RunNote&) { throw std::runtime_error("the log is full"); };
  const RunResult result = Run();
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "test: a log or error sink of the program failed: the log is full");
  EXPECT_EQ(result.error->node, "");
  EXPECT_THROW(std::rethrow_exception(result.error->cause), std::runtime_error);
}

TEST_P(RunLogTest, ASinkMayCallTheGraph) {
  const auto executor = GetParam().make();
  Graph* called = nullptr;
  options_.errors = [&](const ErrorPayload&) {
    EXPECT_TRUE(called->readiness().ready);
    called->Cancel();
  };
  Graph graph(Checked(), *executor, services_, options_);
  called = &graph;
  EXPECT_EQ(graph.Run().status, RunStatus::kCancelled);
}

TEST_P(RunLogTest, ADropIsNotedWhenItBegins) {
  CheckedGraph checked = Checked();
  checked.edges[1].limits.policy = DropPolicy::kLatest;
  NodeFunctions twice;  // two packets a call: the first of them goes
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, kNumWords);
  twice.process = [](NodeContext& context) {
    const Packet& word = context.inputs().Get("in");
    context.Send("out", word);
    context.Send("out", Packet(word).WithTimestamp(word.timestamp().Next()));
    return Process::kNeedInput;
  };
  RegisterFunctions(registry, WordContract("word.work", {"in"}, {"out"}), twice);
  checked.nodes[1].make = registry.Find("word.work")->make;
  const auto executor = MakeExecutorCase<ThreadExecutor>("Threads", 1).make();  // so that nothing is taken in between
  const RunResult result = Graph(checked, *executor, services_, options_).Run();
  EXPECT_GT(result.edges[1].drops.at("latest"), 1u);
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_EQ(notes_[0].kind, RunNote::Kind::kDrop);
  EXPECT_EQ(notes_[0].node, "work");
  EXPECT_EQ(notes_[0].text, "edge work.out -> out.in begins to drop packets (latest)");
}

TEST_P(RunLogTest, AFieldThatAConditionMissesIsToldOnce) {
  NodeFunctions functions;
  functions.process = [](NodeContext& context) -> Process {
    if (!context.inputs().empty()) throw MissingFieldError("no field 'heat'");
    return Process::kNeedInput;
  };
  RegisterFunctions(registry_, WordContract("word.look", {"in"}, {"out"}), functions);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("look", "word.look").In("read");
  builder.Node("out", "sink.record").In("look");
  const auto executor = GetParam().make();
  const RunResult result = Graph(builder.Check(registry_), *executor, services_, options_).Run();
  EXPECT_THAT(errors_, ElementsAre(HasSubstr("no field 'heat'")));
  EXPECT_EQ(result.num_failed_items, static_cast<uint64_t>(kNumWords));
  EXPECT_EQ(result.failed_items.size(), static_cast<size_t>(kNumWords));
}

INSTANTIATE_TEST_SUITE_P(All, RunLogTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::graph
