// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "graph/config/graph_builder.h"
#include "graph/run/graph.h"
#include "tests/support/word_nodes.h"

namespace percept::graph {

// A node made of functions, for one test.
struct NodeFunctions {
  std::function<void(NodeContext&)> open;
  std::function<graph::Process(NodeContext&)> process;
  std::function<graph::Process(NodeContext&)> flush;
  std::function<void()> close;
  std::function<void()> interrupt;
};

class FunctionNode : public Node {
 public:
  explicit FunctionNode(NodeFunctions functions) : functions_(std::move(functions)) {}
  void Open(NodeContext& context) override {
    if (functions_.open) functions_.open(context);
  }
  graph::Process Process(NodeContext& context) override { return functions_.process(context); }
  graph::Process Flush(NodeContext& context) override {
    return functions_.flush ? functions_.flush(context) : graph::Process::kFinished;
  }
  void Close() override {
    if (functions_.close) functions_.close();
  }
  void Interrupt() override {
    if (functions_.interrupt) functions_.interrupt();
  }

 private:
  const NodeFunctions functions_;
};

inline void RegisterFunctions(Registry& registry, const Contract& contract, const NodeFunctions& functions) {
  registry.Register(
      contract, [functions](const ParamValues&, const Services&) { return std::make_unique<FunctionNode>(functions); });
}

inline Contract WordSourceContract(const std::string& type) {
  Contract contract = WordContract(type, {}, {"out"});
  contract.source = SourceKind::kBatch;
  return contract;
}

// Sends the words 0, 1, ... of items of the same names, a millisecond apart.
inline void RegisterCountingSource(Registry& registry, int num_words, int64_t in_flight = 4) {
  Contract contract = WordSourceContract("source.count");
  contract.in_flight = in_flight;
  registry.Register(contract, [num_words](const ParamValues&, const Services&) {
    auto next = std::make_shared<int>(0);
    NodeFunctions functions;
    functions.process = [next, num_words](NodeContext& context) {
      if (*next == num_words) return Process::kFinished;
      const std::string text = std::to_string(*next);
      context.NewItem(text);
      context.Send("out", MakeWord(text, (*next)++));
      return Process::kHaveOutput;
    };
    return std::make_unique<FunctionNode>(functions);
  });
}

// Calls a function for every event, one at a time.
class FunctionObserver : public Observer {
 public:
  explicit FunctionObserver(std::function<void(const TraceEvent&)> function) : function_(std::move(function)) {}
  void OnEvent(const TraceEvent& event) override {
    std::lock_guard lock(mutex_);
    function_(event);
  }

 private:
  std::mutex mutex_;
  const std::function<void(const TraceEvent&)> function_;
};

}  // namespace percept::graph
