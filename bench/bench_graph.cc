// SPDX-License-Identifier: Apache-2.0
//
// What the graph costs beside its nodes: chains of trivial nodes, each of which makes a new packet of every packet,
// over the edges that every graph has (bounds, counters, limits), and the same work as a tbb::flow::graph. Every run
// checks what arrived. `chrt -f 20 bench_graph` keeps other programs out of the measurement.

#include <benchmark/benchmark.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "graph/config/graph_builder.h"
#include "graph/run/graph.h"
#include "graph/run/tbb_executor.h"

namespace percept {

struct Count {
  int64_t value = 0;
};

}  // namespace percept

template <>
struct percept::graph::PayloadTraits<percept::Count> {
  static constexpr const char* kName = "Count";
  static size_t Bytes(const percept::Count&) { return sizeof(percept::Count); }
};

namespace percept {
namespace {

constexpr int64_t kNumPackets = 200'000;

// Sends 0, 1, ..., each an item of its own where `items` says so.
class CountSource : public graph::Node {
 public:
  CountSource(int64_t num_packets, bool items) : num_packets_(num_packets), items_(items) {}

  graph::Process Process(graph::NodeContext& context) override {
    if (next_ == num_packets_) return graph::Process::kFinished;
    if (items_) context.NewItem("");
    context.Send("out", graph::Packet::Make(Count{next_}, graph::Time::Nanoseconds(next_)));
    ++next_;
    return graph::Process::kHaveOutput;
  }

 private:
  const int64_t num_packets_;
  const bool items_;
  int64_t next_ = 0;
};

class AddOne : public graph::Node {
 public:
  graph::Process Process(graph::NodeContext& context) override {
    const graph::Packet& in = context.inputs().Get("in");
    context.Send("out", graph::Packet::Make(Count{in.Get<Count>().value + 1}, in.timestamp()));
    return graph::Process::kNeedInput;
  }
};

// What arrived at one end of a chain.
struct Arrived {
  int64_t num = 0, sum = 0;
  bool in_order = true;

  // `expected`: the first packet's value; each further one is one more.
  void Add(int64_t value, int64_t expected) {
    in_order = in_order && value == num + expected;
    sum += value - expected;
    ++num;
  }
};

using AllArrived = std::vector<Arrived>;

class CheckSink : public graph::Node {
 public:
  CheckSink(Arrived& arrived, int64_t num_added) : arrived_(arrived), num_added_(num_added) {}

  graph::Process Process(graph::NodeContext& context) override {
    arrived_.Add(context.inputs().Get("in").Get<Count>().value, num_added_);
    return graph::Process::kNeedInput;
  }

 private:
  Arrived& arrived_;
  const int64_t num_added_;
};

graph::Contract CountContract(const char* type, bool has_input, bool has_output) {
  graph::Contract contract{.type = type, .doc = "A node of the benchmark.", .example = "node: { type: count }"};
  if (has_input) contract.inputs = {{.name = "in", .types = {"Count"}, .doc = "numbers"}};
  if (has_output) contract.outputs = {{.name = "out", .type = "Count", .doc = "numbers"}};
  return contract;
}

graph::Registry CountRegistry() {
  graph::Registry registry;
  graph::Contract source = CountContract("count.source", false, true);
  source.source = graph::SourceKind::kBatch;
  source.in_flight = 64;
  source.params = {{.name = "num", .type = graph::ParamType::kInt, .doc = "how many", .required = true},
                   {.name = "items", .type = graph::ParamType::kBool, .doc = "one item for each", .required = true}};
  registry.Register(source, [](const graph::ParamValues& params, const graph::Services&) {
    return std::make_unique<CountSource>(params.Get<int64_t>("num"), params.Get<bool>("items"));
  });
  registry.Register(CountContract("count.add", true, true),
                    [](const graph::ParamValues&, const graph::Services&) { return std::make_unique<AddOne>(); });
  graph::Contract sink = CountContract("count.sink", true, false);
  sink.params = {{.name = "chain", .type = graph::ParamType::kInt, .doc = "its number", .required = true},
                 {.name = "added", .type = graph::ParamType::kInt, .doc = "expected", .required = true}};
  registry.Register(sink, [](const graph::ParamValues& params, const graph::Services& services) {
    auto& arrived = services.Get<AllArrived>().at(static_cast<size_t>(params.Get<int64_t>("chain")));
    return std::make_unique<CheckSink>(arrived, params.Get<int64_t>("added"));
  });
  return registry;
}

// Chains side by side in one graph, `num_nodes` each with source and sink, as a pipeline file.
std::string Chains(int num_chains, int num_nodes, int64_t num_packets, bool items) {
  std::string text = "percept: 1\nnodes:\n";
  for (int chain = 0; chain < num_chains; ++chain) {
    const std::string prefix = "  c" + std::to_string(chain) + "_";
    text += prefix + "0: { type: count.source, num: " + std::to_string(num_packets) +
            ", items: " + (items ? "true" : "false") + " }\n";
    for (int i = 1; i < num_nodes; ++i) {
      const std::string input = ", in: c" + std::to_string(chain) + "_" + std::to_string(i - 1);
      text += prefix + std::to_string(i);
      text += i + 1 < num_nodes ? ": { type: count.add" + input + " }\n"
                                : ": { type: count.sink, chain: " + std::to_string(chain) +
                                      ", added: " + std::to_string(num_nodes - 2) + input + " }\n";
    }
  }
  return text;
}

void Require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

void RequireAll(const AllArrived& arrived, int64_t num_packets, bool in_order) {
  for (const Arrived& chain : arrived) {
    Require(chain.num == num_packets && chain.sum == num_packets * (num_packets - 1) / 2, "packets are missing");
    Require(chain.in_order || !in_order, "packets arrived out of order");
  }
}

void Report(benchmark::State& state, int64_t num_packets, int num_edges) {
  const auto total = static_cast<double>(num_packets);
  state.counters["packets/s"] = benchmark::Counter(total, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["s/packet/edge"] = benchmark::Counter(
      total * num_edges, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void BM_Chain(benchmark::State& state, int num_workers, int num_chains, int num_nodes, bool items) {
  const graph::Registry registry = CountRegistry();
  graph::TbbExecutor executor({.num_workers = num_workers});
  const int64_t num_packets = kNumPackets / num_chains;
  const graph::CheckedGraph checked = graph::Check(
      graph::Bind(graph::ParsePipeline(Chains(num_chains, num_nodes, num_packets, items), "chains.yaml"), {}),
      registry);
  for (auto _ : state) {
    AllArrived arrived(static_cast<size_t>(num_chains));
    graph::Services services;
    services.Add(arrived);
    graph::Graph graph(checked, executor, services);
    Require(graph.Run().status == graph::RunStatus::kFinished, "the graph failed");
    RequireAll(arrived, num_packets, true);
  }
  Report(state, num_packets * num_chains, num_nodes - 1);
}

using Message = std::shared_ptr<const Count>;

// The same chain of function objects. Plain, its queues have no bound, and on two threads packets overtake each other;
// `guarded` adds what oneTBB has against both: a limiter behind the source, a sequencer before the end.
class FlowChain {
 public:
  FlowChain(tbb::flow::graph& graph, int num_nodes, int64_t num_packets, bool guarded, Arrived& end)
      : source_(graph,
                [next = int64_t{0}, num_packets](tbb::flow_control& flow) mutable -> Message {
                  if (next == num_packets) {
                    flow.stop();
                    return {};
                  }
                  return std::make_shared<Count>(Count{next++});
                }),
        limiter_(graph, kLimit),
        sequencer_(graph, [num_added = num_nodes -
                                       2](const Message& in) { return static_cast<size_t>(in->value - num_added); }),
        sink_(graph, tbb::flow::serial, [&end, num_added = num_nodes - 2](const Message& in) {
          end.Add(in->value, num_added);
          return tbb::flow::continue_msg();
        }) {
    tbb::flow::sender<Message>* last = &source_;
    if (guarded) {
      tbb::flow::make_edge(source_, limiter_);
      tbb::flow::make_edge(sink_, limiter_.decrementer());
      last = &limiter_;
    }
    for (int i = 2; i < num_nodes; ++i) {
      nodes_.push_back(std::make_unique<Node>(graph, tbb::flow::serial, [](const Message& in) -> Message {
        return std::make_shared<Count>(Count{in->value + 1});
      }));
      tbb::flow::make_edge(*last, *nodes_.back());
      last = nodes_.back().get();
    }
    if (guarded) {
      tbb::flow::make_edge(*last, sequencer_);
      last = &sequencer_;
    }
    tbb::flow::make_edge(*last, sink_);
  }

  void Start() { source_.activate(); }

 private:
  using Node = tbb::flow::function_node<Message, Message>;
  static constexpr size_t kLimit = 16;  // what a chain of three holds on its two edges of 8 packets

  tbb::flow::input_node<Message> source_;
  tbb::flow::limiter_node<Message> limiter_;
  std::vector<std::unique_ptr<Node>> nodes_;
  tbb::flow::sequencer_node<Message> sequencer_;
  tbb::flow::function_node<Message, tbb::flow::continue_msg> sink_;
};

void BM_FlowGraph(benchmark::State& state, int num_workers, int num_chains, int num_nodes, bool guarded) {
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(num_workers));
  tbb::task_arena arena(num_workers);
  const int64_t num_packets = kNumPackets / num_chains;
  for (auto _ : state) {
    AllArrived arrived(static_cast<size_t>(num_chains));
    arena.execute([&] {
      tbb::flow::graph graph;
      std::vector<std::unique_ptr<FlowChain>> chains;
      for (Arrived& end : arrived) {
        chains.push_back(std::make_unique<FlowChain>(graph, num_nodes, num_packets, guarded, end));
      }
      for (const auto& chain : chains) chain->Start();
      graph.wait_for_all();
    });
    RequireAll(arrived, num_packets, guarded);
  }
  Report(state, num_packets * num_chains, num_nodes - 1);
}

// From the text of a pipeline file to its last packet: read, checked, made, opened and closed.
void BM_Start(benchmark::State& state, int num_nodes) {
  const graph::Registry registry = CountRegistry();
  graph::TbbExecutor executor({.num_workers = 2});
  const std::string text = Chains(1, num_nodes, 1, true);
  for (auto _ : state) {
    AllArrived arrived(1);
    graph::Services services;
    services.Add(arrived);
    graph::Graph graph(graph::Check(graph::Bind(graph::ParsePipeline(text, "chain.yaml"), {}), registry), executor,
                       services);
    Require(graph.Run().status == graph::RunStatus::kFinished, "the graph failed");
    RequireAll(arrived, 1, true);
  }
}

// Without a value where every repetition failed.
double Smallest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}
double Largest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

void Add(const std::string& name, const std::function<void(benchmark::State&)>& run) {
  const auto run_or_skip = [run](benchmark::State& state) {
    try {
      run(state);
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
    }
  };
  benchmark::RegisterBenchmark(name.c_str(), run_or_skip)
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond)
      ->Repetitions(9)
      ->ReportAggregatesOnly()
      ->ComputeStatistics("min", Smallest)
      ->ComputeStatistics("max", Largest);
}

void AddAll() {
  struct Shape {
    const char* name;
    int num_workers, num_chains, num_nodes;
  };
  constexpr Shape kShapes[] = {{"1_core/3_nodes", 1, 1, 3},
                               {"2_cores/3_nodes", 2, 1, 3},
                               {"2_cores/8_x_3_nodes", 2, 8, 3},
                               {"1_core/11_nodes", 1, 1, 11}};
  for (const Shape& shape : kShapes) {
    const std::string name = shape.name;
    const int workers = shape.num_workers, chains = shape.num_chains, nodes = shape.num_nodes;
    const auto chain = [=](bool items) {
      return [=](benchmark::State& state) { BM_Chain(state, workers, chains, nodes, items); };
    };
    const auto flow = [=](bool guarded) {
      return [=](benchmark::State& state) { BM_FlowGraph(state, workers, chains, nodes, guarded); };
    };
    Add(name + "/chain", chain(false));
    Add(name + "/chain_of_items", chain(true));
    Add(name + "/flow_graph", flow(false));
    Add(name + "/flow_graph_guarded", flow(true));
  }
  Add("start/200_nodes", [](benchmark::State& state) { BM_Start(state, 200); });
}

}  // namespace
}  // namespace percept

int main(int argc, char** argv) {
  percept::AddAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
