// SPDX-License-Identifier: Apache-2.0
// Sources that wait in their Process, on a thread of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <thread>

#include "graph/run/simulated_clock.h"
#include "tests/graph/function_node.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

// A gate that a node waits at.
class Latch {
 public:
  void Open() {
    std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
};

// read -> out, where `read` has a thread of its own.
class SourceThreadTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  void Make(const NodeFunctions& source, SourceKind kind = SourceKind::kBatch) {
    Registry registry = WordRegistry();
    Contract contract = WordSourceContract("source.camera");
    contract.source = kind;
    contract.own_thread = true;
    RegisterFunctions(registry, contract, source);
    NodeFunctions sink;
    sink.process = [this](NodeContext& context) {
      if (!context.inputs().empty()) packets_.push_back(context.inputs().Get("in"));
      return Process::kNeedInput;
    };
    RegisterFunctions(registry, WordContract("sink.keep", {"in"}, {}), sink);
    GraphBuilder builder("test");
    builder.Node("read", "source.camera");
    builder.Node("out", "sink.keep").In("read");
    executor_ = GetParam().make();
    GraphOptions options;
    options.clock = &clock_;
    graph_ = std::make_unique<Graph>(builder.Check(registry), *executor_, services_, options);
  }
  std::vector<std::string> Words() const {
    std::vector<std::string> words;
    for (const Packet& packet : packets_) words.push_back(packet.Get<Word>().text);
    return words;
  }

  SimulatedClock clock_;
  Services services_;
  std::vector<Packet> packets_;
  Latch inside_, interrupted_, returns_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Graph> graph_;
};

TEST_P(SourceThreadTest, SendsFromAThreadOfItsOwn) {
  std::vector<std::thread::id> threads;
  NodeFunctions source;
  source.process = [&](NodeContext& context) {
    const int num = static_cast<int>(threads.size());
    threads.push_back(std::this_thread::get_id());
    if (num == 100) return Process::kFinished;
    context.NewItem(std::to_string(num));
    context.Send("out", MakeWord(std::to_string(num), num));
    return Process::kHaveOutput;
  };
  std::thread::id worker;
  source.close = [&] { worker = std::this_thread::get_id(); };
  Make(source);
  const RunResult result = graph_->Run();
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(result.nodes[0].runs, 101u);
  EXPECT_EQ(packets_.size(), 100u);
  EXPECT_THAT(threads, testing::Each(threads[0]));
  EXPECT_NE(threads[0], worker);
}

TEST_P(SourceThreadTest, WaitsForItsNextCallUntilItsWakerIsCalled) {
  int num_calls = 0;
  NodeFunctions source;
  source.process = [&](NodeContext& context) {
    if (num_calls++ == 1) return Process::kFinished;
    context.WakeAfter(Duration::Seconds(3600));
    return Process::kBlocked;
  };
  Make(source);
  EXPECT_EQ(graph_->Run().status, RunStatus::kFinished);
  EXPECT_EQ(num_calls, 2);
  EXPECT_EQ(clock_.Now(), Duration::Seconds(3600));
}

TEST_P(SourceThreadTest, WhatItThrowsFailsTheGraph) {
  NodeFunctions source;
  source.process = [](NodeContext&) -> graph::Process { throw std::runtime_error("no such device"); };
  Make(source);
  const RunResult result = graph_->Run();
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "test: node 'read' (source.camera) failed: no such device");
}

TEST_P(SourceThreadTest, IsTriedAgainAfterATimeOut) {
  int num_calls = 0;
  NodeFunctions source;
  source.process = [&](NodeContext& context) {
    if (num_calls++ == 0) throw TransientError("no route to host");
    if (num_calls == 3) return Process::kFinished;
    context.Send("out", MakeWord("a", 0));
    return Process::kHaveOutput;
  };
  Make(source);
  const RunResult result = graph_->Run();
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(result.nodes[0].retries, 1u);
  EXPECT_THAT(Words(), testing::ElementsAre("a"));
}

TEST_P(SourceThreadTest, ADrainInterruptsItsReadAndKeepsWhatItSends) {
  NodeFunctions source;
  source.process = [&](NodeContext& context) {
    inside_.Open();
    returns_.Wait();
    context.Send("out", MakeWord("last", 0));
    return Process::kHaveOutput;
  };
  source.interrupt = [&] { returns_.Open(); };
  Make(source);
  graph_->Start();
  inside_.Wait();
  graph_->Drain(Duration::Seconds(10));
  const RunResult result = graph_->Wait();
  EXPECT_EQ(result.status, RunStatus::kDrained);
  EXPECT_EQ(result.nodes[0].runs, 1u);
  EXPECT_THAT(Words(), testing::ElementsAre("last"));
}

TEST_P(SourceThreadTest, ACancelInterruptsItsRead) {
  bool closed = false;
  NodeFunctions source;
  source.process = [&](NodeContext&) {
    inside_.Open();
    returns_.Wait();
    return Process::kHaveOutput;
  };
  source.interrupt = [&] { returns_.Open(); };
  source.close = [&] { closed = true; };
  Make(source);
  graph_->Start();
  inside_.Wait();
  graph_->Cancel();
  EXPECT_EQ(graph_->Wait().status, RunStatus::kCancelled);
  EXPECT_TRUE(closed);
  EXPECT_EQ(clock_.next(), std::nullopt);
}

TEST_P(SourceThreadTest, OneThatBlocksForEverIsLeftBehindAlive) {
  // What it touches when the test lets it go after all, long after its graph, must still be there.
  struct Trace {
    std::promise<std::string> send_error;
    std::promise<void> gone;
    ~Trace() { gone.set_value(); }
  };
  auto trace = std::make_unique<Trace>();
  std::future<std::string> send_error = trace->send_error.get_future();
  std::future<void> gone = trace->gone.get_future();
  bool closed = false;
  struct Latches {
    Latch &inside, &interrupted, &returns;
  };
  struct Stuck : Node {
    Stuck(std::unique_ptr<Trace> its_trace, Latches its_latches, bool& was_closed)
        : trace(std::move(its_trace)), latches(its_latches), closed(was_closed) {}
    graph::Process Process(NodeContext& context) override {
      context.Send("out", MakeWord("first", 0));
      latches.inside.Open();
      latches.returns.Wait();
      EXPECT_TRUE(context.cancelled());
      try {
        context.Send("out", MakeWord("late", 1));
      } catch (const std::exception& error) {
        trace->send_error.set_value(error.what());
      }
      return graph::Process::kHaveOutput;
    }
    void Interrupt() override { latches.interrupted.Open(); }
    void Close() override { closed = true; }
    std::unique_ptr<Trace> trace;
    const Latches latches;
    bool& closed;
  };
  Registry registry = WordRegistry();
  Contract contract = WordSourceContract("source.stuck");
  contract.own_thread = true;
  registry.Register(contract, [&](const ParamValues&, const Services&) {
    return std::make_unique<Stuck>(std::move(trace), Latches{inside_, interrupted_, returns_}, closed);
  });
  NodeFunctions sink;
  sink.process = [](NodeContext&) { return Process::kNeedInput; };
  RegisterFunctions(registry, WordContract("sink.none", {"in"}, {}), sink);
  GraphBuilder builder("test");
  builder.Node("read", "source.stuck");
  builder.Node("out", "sink.none").In("read");
  executor_ = GetParam().make();
  GraphOptions options;
  options.clock = &clock_;
  options.abandon_after = Duration::Seconds(3);
  graph_ = std::make_unique<Graph>(builder.Check(registry), *executor_, services_, options);
  graph_->Start();
  inside_.Wait();
  graph_->Cancel();
  interrupted_.Wait();
  clock_.Advance(Duration::Seconds(3));
  const RunResult result = graph_->Wait();
  ASSERT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(
      result.error->message,
      "test: node 'read' (source.stuck) failed: it still waits in its Process 3s after the run was stopped; its thread "
      "is left behind");
  EXPECT_EQ(result.nodes[0].sent, 1u);
  graph_.reset();
  executor_.reset();
  returns_.Open();
  EXPECT_EQ(send_error.get(), "the run is over: it went on without this source");
  gone.get();
  EXPECT_FALSE(closed);
}

TEST_P(SourceThreadTest, PacketsOfALiveSourceSayWhenTheyWereCaptured) {
  int num_calls = 0;
  NodeFunctions source;
  source.process = [&](NodeContext& context) {
    if (num_calls++ == 1) return Process::kFinished;
    context.NewItem("frame");
    context.Send("out", MakeWord("a", 0));
    return Process::kHaveOutput;
  };
  Make(source, SourceKind::kLive);
  const WallTime now = clock_.WallNow();
  EXPECT_EQ(graph_->Run().status, RunStatus::kFinished);
  ASSERT_EQ(packets_.size(), 1u);
  EXPECT_EQ(packets_[0].origin().capture_time, now);
}

INSTANTIATE_TEST_SUITE_P(Executors, SourceThreadTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::graph
