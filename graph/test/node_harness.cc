// SPDX-License-Identifier: Apache-2.0
#include "graph/test/node_harness.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "graph/config/pipeline.h"
#include "graph/run/caller_executor.h"
#include "graph/run/run_state.h"
#include "graph/run/simulated_clock.h"
#include "graph/test/harness_nodes.h"

namespace percept::graph {
namespace {

PipelineDefinition ParseNode(const std::string& yaml) {
  std::string text = "nodes:\n";
  std::istringstream lines(yaml);
  for (std::string line; std::getline(lines, line);) text += "  " + line + "\n";
  PipelineDefinition pipeline = ParsePipeline(text + "percept: 1\n", "node.yaml");
  if (pipeline.nodes.size() != 1) throw std::logic_error("NodeHarness takes one node");
  return Bind(pipeline, {});
}

NodeDefinition MakeDefinition(const std::string& name, const std::string& type) {
  NodeDefinition node;
  node.name = name;
  node.type = Value::Scalar(type, {});
  return node;
}

}  // namespace

class NodeHarness::Impl {
 public:
  Impl(const Registry& registry, const std::string& yaml, const std::map<std::string, TypeName>& payloads,
       Services services);
  ~Impl() { Stop(); }

  const CheckedNode& node() const { return checked_.nodes.back(); }
  HarnessFeed& Feed(const std::string& port, std::string& output);
  HarnessKeep& Keep(const std::string& port);
  void Feed(const std::string& port, HarnessFeed::Entry entry);
  void End(const std::string& port);
  void Run() { executor_.RunAll(); }
  void Advance(Duration duration);
  Duration Now() const { return clock_.Now(); }
  Time BoundOf(const std::string& port) const;
  bool done() const { return run_->done(); }
  RunResult Finish();
  void Stop();
  RunResult Result() { return run_->Wait(); }

 private:
  struct Input {
    std::string port, source, output;
    bool ended = false;
  };
  void AddSources(const NodeDefinition& node, const std::map<std::string, TypeName>& payloads);
  void AddSinks(const CheckedGraph& checked);
  Input& Find(const std::string& port);

  Registry registry_;
  const Services services_;
  PipelineDefinition pipeline_;
  std::vector<Input> inputs_;
  std::map<std::string, HarnessFeed> feeds_;  // by source
  std::map<std::string, HarnessKeep> keeps_;  // by output
  CheckedGraph checked_;                      // sources, sinks, the node
  CallerExecutor executor_;
  SimulatedClock clock_;
  HarnessFeed still_;  // a source of nothing: while it waits, the clock does not move by itself
  std::shared_ptr<RunState> run_;
};

NodeHarness::Impl::Impl(const Registry& registry, const std::string& yaml,
                        const std::map<std::string, TypeName>& payloads, Services services)
    : registry_(registry), services_(std::move(services)), pipeline_(ParseNode(yaml)) {
  const NodeDefinition node = pipeline_.nodes.front();
  pipeline_.nodes.clear();
  still_.num_open_ports = 1;
  registry_.Register(HarnessSource("harness.still", {}, still_));
  pipeline_.nodes.push_back(MakeDefinition("harness", "harness.still"));
  AddSources(node, payloads);
  pipeline_.nodes.push_back(node);
  const CheckedGraph without_sinks = Check(pipeline_, registry_);
  pipeline_.nodes.pop_back();
  AddSinks(without_sinks);
  pipeline_.nodes.push_back(node);
  checked_ = Check(pipeline_, registry_);
  GraphOptions options;
  options.clock = &clock_;
  run_ = std::make_shared<RunState>(checked_, executor_, services_, options);
  run_->Build();
  run_->Start();
  Run();
}

void NodeHarness::Impl::AddSources(const NodeDefinition& node, const std::map<std::string, TypeName>& payloads) {
  std::map<std::string, std::vector<std::pair<std::string, TypeName>>> outputs;  // by source
  for (const InputDefinition& input : node.inputs) {
    const auto payload = payloads.find(input.from);
    if (payload == payloads.end()) throw std::logic_error("NodeHarness: no payload type for '" + input.from + "'");
    const size_t dot = input.from.find('.');
    const std::string source = input.from.substr(0, dot);
    const std::string output = dot == std::string::npos ? "out" : input.from.substr(dot + 1);
    inputs_.push_back({input.port, source, output});
    outputs[source].emplace_back(output, payload->second);
  }
  for (const auto& [source, ports] : outputs) {
    HarnessFeed& feed = feeds_[source];
    feed.num_open_ports = ports.size();
    registry_.Register(HarnessSource("harness.feed." + source, ports, feed));
    pipeline_.nodes.push_back(MakeDefinition(source, "harness.feed." + source));
  }
}

void NodeHarness::Impl::AddSinks(const CheckedGraph& checked) {
  const CheckedNode& node = checked.nodes.back();
  for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i].port = node.input_ports[i];
  for (const OutputPort& output : node.contract.outputs) {
    const std::string name = "harness_" + output.name;
    registry_.Register(HarnessSink("harness.keep." + output.name, keeps_[output.name]));
    NodeDefinition sink = MakeDefinition(name, "harness.keep." + output.name);
    InputDefinition input;
    input.from = node.name + "." + output.name;
    sink.inputs.push_back(std::move(input));
    pipeline_.nodes.push_back(std::move(sink));
  }
}

NodeHarness::Impl::Input& NodeHarness::Impl::Find(const std::string& port) {
  const auto it = std::find_if(inputs_.begin(), inputs_.end(), [&](const Input& input) { return input.port == port; });
  if (it == inputs_.end()) throw std::logic_error("NodeHarness: the node has no input '" + port + "'");
  return *it;
}

HarnessKeep& NodeHarness::Impl::Keep(const std::string& port) {
  const auto it = keeps_.find(port);
  if (it == keeps_.end()) throw std::logic_error("NodeHarness: the node has no output '" + port + "'");
  return it->second;
}

void NodeHarness::Impl::Feed(const std::string& port, HarnessFeed::Entry entry) {
  const Input& input = Find(port);
  if (input.ended) throw std::logic_error("NodeHarness: input '" + port + "' has ended");
  HarnessFeed& feed = feeds_.at(input.source);
  entry.port = input.output;
  feed.entries.push_back(std::move(entry));
  std::exchange(feed.waker, {}).Wake();
  Run();
}

void NodeHarness::Impl::End(const std::string& port) {
  Input& input = Find(port);
  if (input.ended) return;
  --feeds_.at(input.source).num_open_ports;
  Feed(port, {.bound = Time::Max()});
  input.ended = true;
}

void NodeHarness::Impl::Advance(Duration duration) {
  const Duration end = clock_.Now() + duration;
  for (auto next = clock_.next(); next && *next <= end; next = clock_.next()) {
    clock_.OnIdle();
    Run();
  }
  clock_.Advance(end - clock_.Now());
  Run();
}

Time NodeHarness::Impl::BoundOf(const std::string& port) const {
  for (size_t i = 0; i < checked_.edges.size(); ++i) {
    const CheckedEdge& edge = checked_.edges[i];
    if (edge.from_node + 1 == checked_.nodes.size() && node().contract.outputs[edge.from_port].name == port) {
      return run_->edge(i).Look().bound;
    }
  }
  throw std::logic_error("NodeHarness: the node has no output '" + port + "'");
}

RunResult NodeHarness::Impl::Finish() {
  for (const Input& input : inputs_) End(input.port);
  for (auto& [port, keep] : keeps_) {
    keep.holds_back = false;
    std::exchange(keep.waker, {}).Wake();
  }
  still_.num_open_ports = 0;
  std::exchange(still_.waker, {}).Wake();
  Run();
  if (!done()) {
    Stop();
    throw std::logic_error("NodeHarness: the inputs have ended, but the node waits for somebody to wake it");
  }
  return Result();
}

void NodeHarness::Impl::Stop() {
  run_->Cancel();
  Run();
}

NodeHarness::NodeHarness(const Registry& registry, const std::string& node_yaml,
                         const std::map<std::string, TypeName>& payloads, Services services)
    : impl_(std::make_unique<Impl>(registry, node_yaml, payloads, std::move(services))) {}

NodeHarness::~NodeHarness() = default;

const CheckedNode& NodeHarness::node() const { return impl_->node(); }

void NodeHarness::Push(const std::string& port, Packet packet, const std::string& item) {
  const Time bound = packet.timestamp().Next();
  impl_->Feed(port, {.packet = std::move(packet), .item = item, .bound = bound});
}

void NodeHarness::PushMore(const std::string& port, Packet packet, const std::string& item) {
  impl_->Feed(port, {.packet = std::move(packet), .item = item});
}

void NodeHarness::PushError(const std::string& port, const std::string& reason, Time time, const std::string& item) {
  Push(port, Packet::MakeError({.kind = ErrorKind::kBadInput, .item = item, .reason = reason, .node = "test"}, time),
       item);
}

void NodeHarness::SetBound(const std::string& port, Time bound) { impl_->Feed(port, {.bound = bound}); }
void NodeHarness::End(const std::string& port) { impl_->End(port); }
void NodeHarness::End() {
  for (const std::string& port : node().input_ports) impl_->End(port);
}
void NodeHarness::Advance(Duration duration) { impl_->Advance(duration); }
Duration NodeHarness::Now() const { return impl_->Now(); }
void NodeHarness::Run() { impl_->Run(); }

std::vector<Packet> NodeHarness::Take(const std::string& port) { return std::exchange(impl_->Keep(port).packets, {}); }
Time NodeHarness::BoundOf(const std::string& port) const { return impl_->BoundOf(port); }
void NodeHarness::HoldBack(const std::string& port) { impl_->Keep(port).holds_back = true; }
void NodeHarness::Release(const std::string& port) {
  impl_->Keep(port).holds_back = false;
  std::exchange(impl_->Keep(port).waker, {}).Wake();
  Run();
}

bool NodeHarness::done() const { return impl_->done(); }
RunResult NodeHarness::Finish() { return impl_->Finish(); }
RunResult NodeHarness::Cancel() {
  impl_->Stop();
  return impl_->Result();
}

}  // namespace percept::graph
