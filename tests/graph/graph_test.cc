// SPDX-License-Identifier: Apache-2.0
// The life of a graph: open, process, close, cancel, failures, counts and trace.
#include "graph/run/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "tests/graph/function_node.h"
#include "tests/support/edge_limits.h"
#include "tests/support/executors.h"

namespace percept::graph {
namespace {

class GraphTest : public testing::TestWithParam<ExecutorCase> {
 protected:
  GraphTest() { services_.Add(recorder_); }

  // read -> node -> out, with a node made of functions.
  RunResult RunNode(const NodeFunctions& functions, int num_words = 3, const Contract& contract = DefaultContract()) {
    Registry registry = WordRegistry();
    RegisterCountingSource(registry, num_words);
    RegisterFunctions(registry, contract, functions);
    GraphBuilder builder("test");
    builder.Node("read", "source.count");
    builder.Node("node", "word.test").In("read");
    builder.Node("out", "sink.record").In("node.out");
    CheckedGraph checked = builder.Check(registry);
    checked.nodes[1].restart.limit = 0;
    const auto executor = GetParam().make();
    return Graph(checked, *executor, services_).Run();
  }
  static Contract DefaultContract() { return WordContract("word.test", {"in"}, {"out"}); }
  std::string ErrorOf(const NodeFunctions& functions) {
    const RunResult result = RunNode(functions);
    return result.error ? result.error->message : "";
  }
  static NodeFunctions Processing(std::function<graph::Process(NodeContext&)> process) {
    NodeFunctions functions;
    functions.process = std::move(process);
    return functions;
  }

  Recorder recorder_;
  Services services_;
};

TEST_P(GraphTest, OpensAllBeforeTheFirstProcessAndClosesEachOnce) {
  std::atomic<int> num_open{0}, num_closed{0};
  std::atomic<bool> early{false};
  NodeFunctions functions;
  functions.open = [&](NodeContext&) { ++num_open; };
  functions.process = [&](NodeContext& context) {
    if (num_open != 3) early = true;
    if (!context.inputs().empty()) context.Send("out", context.inputs().Get("in"));
    return Process::kNeedInput;
  };
  functions.close = [&] { ++num_closed; };
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 5);
  RegisterFunctions(registry, DefaultContract(), functions);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("one", "word.test").In("read");
  builder.Node("two", "word.test").In("one");
  builder.Node("three", "word.test").In("two");
  builder.Node("out", "sink.words").In("three");
  const auto executor = GetParam().make();
  Graph graph(builder.Check(registry), *executor, services_);
  EXPECT_EQ(graph.Run().status, RunStatus::kFinished);
  EXPECT_FALSE(early);
  EXPECT_EQ(num_open, 3);
  EXPECT_EQ(num_closed, 3);
  EXPECT_EQ(recorder_.Lines("out").size(), 5u);
}

TEST_P(GraphTest, AFailureToOpenStopsTheGraphBeforeItRuns) {
  bool processed = false, closed = false;
  NodeFunctions functions;
  functions.open = [](NodeContext&) { throw std::runtime_error("no such folder"); };
  functions.process = [&](NodeContext&) {
    processed = true;
    return Process::kNeedInput;
  };
  functions.close = [&] { closed = true; };
  EXPECT_EQ(ErrorOf(functions), "test: node 'node' (word.test) failed: no such folder");
  EXPECT_FALSE(processed);
  EXPECT_TRUE(closed);
  EXPECT_TRUE(recorder_.All().empty());
}

TEST_P(GraphTest, AFailureToCloseIsAFailure) {
  NodeFunctions functions = Processing([](NodeContext&) { return Process::kNeedInput; });
  functions.close = [] { throw std::runtime_error("disk full"); };
  const RunResult result = RunNode(functions);
  EXPECT_EQ(result.status, RunStatus::kFailed);
  EXPECT_EQ(result.error->message, "test: node 'node' (word.test) failed: disk full");
  EXPECT_EQ(result.error->node, "node");
  EXPECT_THROW(std::rethrow_exception(result.error->cause), std::runtime_error);
}

TEST_P(GraphTest, FlushIsCalledUntilItIsFinished) {
  int num_left = 3;
  NodeFunctions functions = Processing([](NodeContext&) { return Process::kNeedInput; });
  functions.flush = [&](NodeContext& context) {
    if (num_left == 0) return Process::kFinished;
    context.Send("out", MakeWord("left", 100 - num_left--));
    return Process::kHaveOutput;
  };
  EXPECT_EQ(RunNode(functions).status, RunStatus::kFinished);
  EXPECT_THAT(recorder_.Lines("out"), testing::ElementsAre("0.097s left", "0.098s left", "0.099s left"));
}

TEST_P(GraphTest, ANodeMayFinishBeforeItsInputs) {
  const RunResult result = RunNode(Processing([](NodeContext& context) {
                                     context.Send("out", context.inputs().Get("in"));
                                     return Process::kFinished;
                                   }),
                                   /*num_words=*/100);
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_THAT(recorder_.Lines("out"), testing::ElementsAre("0s 0 (0)"));
}

TEST_P(GraphTest, MisuseOfTheContextNamesTheNode) {
  const std::string failed = "test: node 'node' (word.test) failed: ";
  EXPECT_EQ(ErrorOf(Processing([](NodeContext& context) {
              context.Send("uot", context.inputs().Get("in"));
              return Process::kNeedInput;
            })),
            failed + "the node's contract declares no output 'uot'");
  EXPECT_EQ(ErrorOf(Processing([](NodeContext& context) {
              context.Send("out", Packet::Make(Number{1}, context.inputs().time()));
              return Process::kNeedInput;
            })),
            failed + "output 'out' is declared as Word, but a packet of type Number was sent on it");
  EXPECT_EQ(ErrorOf(Processing([](NodeContext& context) {
              context.Send("out", Packet());
              return Process::kNeedInput;
            })),
            failed + "an empty packet was sent on output 'out'");
  EXPECT_EQ(ErrorOf(Processing([](NodeContext& context) {
              context.NewItem("x");
              return Process::kNeedInput;
            })),
            failed + "NewItem in a node that is no source");
  EXPECT_EQ(ErrorOf(Processing([](NodeContext& context) {
              for (int i = 0; i < 100; ++i) {
                context.Send("out", MakeWord("x", i));
              }
              return Process::kNeedInput;
            })),
            failed + "a packet was sent on output 'out', which has no room");
  NodeFunctions functions = Processing([](NodeContext&) { return Process::kNeedInput; });
  functions.flush = [](NodeContext& context) {
    context.Hold();
    return Process::kFinished;
  };
  EXPECT_EQ(ErrorOf(functions), failed + "Hold without a set");
  functions.flush = [](NodeContext&) -> graph::Process { throw BadInputError("too late"); };
  EXPECT_EQ(ErrorOf(functions), failed + "too late");
}

TEST_P(GraphTest, CanSendSaysWhenThereIsRoom) {
  Contract contract = DefaultContract();
  contract.outputs[0].many_per_time = true;
  auto num_left = std::make_shared<int>(50);
  const RunResult result = RunNode(Processing([num_left](NodeContext& context) {
                                     while (*num_left > 0 && context.CanSend("out")) {
                                       context.Send("out", MakeWord(std::to_string((*num_left)--), 0));
                                     }
                                     return *num_left > 0 ? Process::kHaveOutput : Process::kNeedInput;
                                   }),
                                   /*num_words=*/1, contract);
  EXPECT_EQ(result.status, RunStatus::kFinished);
  EXPECT_EQ(recorder_.Lines("out").size(), 50u);
  EXPECT_EQ(result.edges[1].peak_packets, 8u);
}

TEST_P(GraphTest, AnItemFailsOnceHoweverManyBranchesFindIt) {
  Registry registry = WordRegistry();
  GraphBuilder builder("test");
  const Position here;
  const Value line = Value::Map({{"at", here, Value::Scalar("0", here)},
                                 {"word", here, Value::Scalar("bad", here)},
                                 {"item", here, Value::Scalar("x.png", here)}},
                                here);
  builder.Node("read", "source.script").Set("script", Value::List({line}, here));
  builder.Node("one", "word.append").In("read");
  builder.Node("two", "word.append").In("read");
  builder.Node("join", "word.join").In("a", "one").In("b", "two");
  builder.Node("out", "sink.record").In("join");
  const auto executor = GetParam().make();
  const RunResult result = Graph(builder.Check(registry), *executor, services_).Run();
  EXPECT_EQ(result.num_failed_items, 1u);
  ASSERT_EQ(result.failed_items.size(), 1u);
  EXPECT_EQ(result.failed_items[0].item, "x.png");
  EXPECT_THAT(recorder_.Lines("out"), testing::ElementsAre("0s bad_input from 'one': bad word (x.png)"));
  EXPECT_EQ(result.nodes[1].errors + result.nodes[2].errors, 2u);
}

TEST_P(GraphTest, CountsWhatHappened) {
  const RunResult result = RunNode(Processing([](NodeContext& context) {
                                     if (context.inputs().time() == Time::Milliseconds(1)) throw BadInputError("odd");
                                     context.Send("out", context.inputs().Get("in"));
                                     return Process::kNeedInput;
                                   }),
                                   /*num_words=*/3);
  EXPECT_EQ(result.nodes[1].node, "node");
  EXPECT_EQ(result.nodes[1].sets, 3u);
  EXPECT_EQ(result.nodes[1].runs, 4u);  // three sets and Flush
  EXPECT_EQ(result.nodes[1].sent, 3u);
  EXPECT_EQ(result.nodes[1].errors, 1u);
  EXPECT_EQ(result.edges[1].edge, "node.out -> out.in");
  EXPECT_EQ(result.edges[1].packets, 3u);
}

TEST_P(GraphTest, TracesRunsAndPacketsWithTheirMediaTime) {
  std::vector<std::string> sent, received, runs;
  FunctionObserver observer([&](const TraceEvent& event) {
    const std::string line =
        std::string(event.node) + "." + std::string(event.port) + " " + event.media_time.ToString();
    if (event.kind == TraceKind::kSent) {
      sent.push_back(line + " #" + std::to_string(event.trace_id));
      EXPECT_GE(event.edge_packets, 1u);
      EXPECT_GE(event.edge_bytes, 1u);
    }
    if (event.kind == TraceKind::kReceived) received.push_back(line);
    if (event.kind == TraceKind::kRunBegin && event.node == "out") runs.push_back(line);
  });
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 2);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("out", "sink.words").In("read");
  const auto executor = GetParam().make();
  GraphOptions options;
  options.observer = &observer;
  EXPECT_EQ(Graph(builder.Check(registry), *executor, services_, options).Run().status, RunStatus::kFinished);
  EXPECT_THAT(sent, testing::ElementsAre("read.out 0s #1", "read.out 0.001s #2"));
  EXPECT_THAT(received, testing::ElementsAre("out.in 0s", "out.in 0.001s"));
  EXPECT_THAT(runs, testing::ElementsAre("out. 0s", "out. 0.001s", "out. unset"));
}

TEST_P(GraphTest, CancelEndsAGraphWhoseEdgesAreFull) {
  // A sink that waits for its Waker, which the test holds; with one packet an edge the source is soon stopped.
  std::mutex mutex;
  std::condition_variable changed;
  int num_sent = 0;
  Waker kept;
  FunctionObserver observer([&](const TraceEvent& event) {
    if (event.kind != TraceKind::kSent) return;
    std::lock_guard lock(mutex);
    ++num_sent;
    changed.notify_all();
  });
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 1000, /*in_flight=*/1000);
  NodeFunctions functions = Processing([&](NodeContext& context) {
    kept = context.waker();
    return Process::kBlocked;
  });
  RegisterFunctions(registry, WordContract("sink.waits", {"in"}, {}), functions);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("one", "word.append").In("read");
  builder.Node("out", "sink.waits").In("one");
  const auto executor = GetParam().make();
  GraphOptions options;
  options.observer = &observer;
  CheckedGraph checked = builder.Check(registry);
  SetEdgeLimits(checked, {.packets = 1});
  Graph graph(checked, *executor, services_, options);
  graph.Start();
  {
    // The sink holds one, and each edge one: three that `read` sent and two that `one` sent.
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return num_sent == 5; });
  }
  graph.Cancel();
  const RunResult result = graph.Wait();
  EXPECT_EQ(result.status, RunStatus::kCancelled);
  EXPECT_EQ(result.nodes[0].sent, 3u);
}

TEST_P(GraphTest, CancelIsSeenInsideALongProcess) {
  std::mutex mutex;
  std::condition_variable changed;
  bool inside = false;
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 1);
  NodeFunctions functions = Processing([&](NodeContext& context) {
    {
      std::lock_guard lock(mutex);
      inside = true;
      changed.notify_all();
    }
    while (!context.cancelled()) std::this_thread::yield();
    return Process::kNeedInput;
  });
  RegisterFunctions(registry, WordContract("sink.long", {"in"}, {}), functions);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("out", "sink.long").In("read");
  const auto executor = GetParam().make();
  Graph graph(builder.Check(registry), *executor, services_);
  graph.Start();
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return inside; });
  }
  graph.Cancel();
  EXPECT_EQ(graph.Wait().status, RunStatus::kCancelled);
}

TEST_P(GraphTest, MayBeDestroyedAtAnyMoment) {
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 100000);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("one", "word.append").In("read");
  builder.Node("out", "sink.words").In("one");
  const CheckedGraph checked = builder.Check(registry);
  const auto executor = GetParam().make();
  Graph never_started(checked, *executor, services_);
  for (int i = 0; i < 50; ++i) {
    Graph graph(checked, *executor, services_);
    graph.Start();
  }
}

TEST_P(GraphTest, RefusesToStartTwiceOrToWaitBeforeStart) {
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 1);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  const auto executor = GetParam().make();
  Graph graph(builder.Check(registry), *executor, services_);
  EXPECT_THROW(graph.Wait(), std::logic_error);
  graph.Start();
  EXPECT_THROW(graph.Start(), std::logic_error);
  EXPECT_EQ(graph.Wait().status, RunStatus::kFinished);
}

TEST_P(GraphTest, ANodeThatCannotBeMadeIsADefinitionError) {
  Registry registry = WordRegistry();
  Contract contract = WordSourceContract("source.engine");
  registry.Register(contract, [](const ParamValues&, const Services& services) -> std::unique_ptr<Node> {
    services.Get<FakeEngine>();
    return nullptr;
  });
  GraphBuilder builder("test");
  builder.Node("read", "source.engine");
  const auto executor = GetParam().make();
  try {
    Graph graph(builder.Check(registry), *executor, services_);
    FAIL();
  } catch (const DefinitionError& error) {
    EXPECT_THAT(error.what(),
                testing::StartsWith("test: node 'read' (source.engine) cannot be made: this program lends its "
                                    "nodes no service of type "));
  }
}

TEST(GraphOrderTest, WhatIsNearestToTheSinkRunsFirst) {
  // One packet an edge: when `one` has taken and sent its packet, `read` has room again and `two` has input. With one
  // worker `two` goes first, so that a packet reaches the sink before the next one starts.
  std::string order;
  FunctionObserver observer([&](const TraceEvent& event) {
    if (event.kind == TraceKind::kSent) order += std::string(event.node) + " ";
    if (event.kind == TraceKind::kReceived && event.node == "out") order += "out ";
  });
  Registry registry = WordRegistry();
  RegisterCountingSource(registry, 3);
  GraphBuilder builder("test");
  builder.Node("read", "source.count");
  builder.Node("one", "word.append").In("read");
  builder.Node("two", "word.append").In("one");
  builder.Node("out", "sink.words").In("two");
  ThreadExecutor executor({1, {}});
  Recorder recorder;
  Services services;
  services.Add(recorder);
  GraphOptions options;
  options.observer = &observer;
  CheckedGraph checked = builder.Check(registry);
  SetEdgeLimits(checked, {.packets = 1});
  EXPECT_EQ(Graph(checked, executor, services, options).Run().status, RunStatus::kFinished);
  EXPECT_EQ(order, "read one two out read one two out read one two out ");
}

INSTANTIATE_TEST_SUITE_P(All, GraphTest, testing::ValuesIn(AllExecutors()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace percept::graph
