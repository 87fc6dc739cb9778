// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/run/graph.h"
#include "nodes/runtime.h"
#include "tests/support/shared_dir.h"
#include "tests/support/test_context.h"

namespace percept::nodes {

inline std::filesystem::path EmbeddedModel() { return SourceDir() / "models" / "percept-tiny"; }

// Keeps what is written to it.
class TextKeeper : public TextStream {
 public:
  void Write(std::string_view text) override { text_ += text; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// The options that tests start from: the embedded model, two workers.
inline RuntimeOptions TestOptions() {
  RuntimeOptions options;
  options.num_workers = 2;
  options.default_model = EmbeddedModel();
  options.max_isa = TestMaxIsa();
  return options;
}

// A sink that keeps the packets of its inputs, named by the pipeline.
inline void RegisterKeeper(graph::Registry& registry, std::vector<graph::Packet>* packets) {
  class Keeper : public graph::Node {
   public:
    explicit Keeper(std::vector<graph::Packet>* kept) : packets_(kept) {}
    graph::Process Process(graph::NodeContext& context) override {
      for (const std::string& port : context.inputs().ports()) {
        const auto all = context.inputs().All(port);
        packets_->insert(packets_->end(), all.begin(), all.end());
      }
      return graph::Process::kNeedInput;
    }

   private:
    std::vector<graph::Packet>* packets_;
  };
  graph::Contract contract{.type = "test.keep",
                           .doc = "Keeps packets.",
                           .example = "keep: { type: test.keep, in: read.image }",
                           .dynamic_inputs = graph::DynamicInputs{.types = {}, .doc = "anything"},
                           .accepts_errors = true};
  registry.Register(std::move(contract), [packets](const graph::ParamValues&, const graph::Services&) {
    return std::make_unique<Keeper>(packets);
  });
}

inline graph::CheckedGraph CheckNodes(const std::string& nodes, const graph::Registry& registry) {
  const graph::PipelineDefinition pipeline = graph::ParsePipeline("percept: 1\nnodes:\n" + nodes, "test.yaml");
  return graph::Check(graph::Bind(pipeline, {}), registry);
}

// Runs the nodes of a pipeline, written as the file's `nodes:`.
inline graph::RunResult RunNodes(const std::string& nodes, Runtime& runtime) {
  graph::Graph graph(CheckNodes(nodes, runtime.registry()), runtime.executor(), runtime.services());
  return graph.Run();
}

// The message of the DefinitionError that a pipeline is refused with; "" where it is not.
inline std::string Refusal(const std::string& nodes, const Runtime& runtime) {
  try {
    CheckNodes(nodes, runtime.registry());
  } catch (const graph::DefinitionError& error) {
    return error.what();
  }
  return "";
}

}  // namespace percept::nodes
