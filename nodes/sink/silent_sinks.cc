// SPDX-License-Identifier: Apache-2.0
#include "nodes/sink/silent_sinks.h"

#include <memory>

#include "graph/node/node.h"

namespace percept::nodes {
namespace {

class SilentSink : public graph::Node {
 public:
  graph::Process Process(graph::NodeContext&) override { return graph::Process::kNeedInput; }
};

void Silence(graph::CheckedNode* node) {
  if (node->contract.output == graph::OutputKind::kNone) {
    return;
  }
  if (!node->contract.outputs.empty()) {
    throw graph::DefinitionError(node->position, "node '" + node->name + "' (" + node->contract.type +
                                                     ") writes and has outputs: it cannot run without writing");
  }
  if (node->contract.output == graph::OutputKind::kAppended && node->params.Has("path")) {
    node->params.Set("path", std::string("/dev/null"), node->params.PositionOf("path"));
  } else {
    node->make = [](const graph::ParamValues&, const graph::Services&) { return std::make_unique<SilentSink>(); };
  }
}

}  // namespace

graph::CheckedGraph WithSilentSinks(graph::CheckedGraph graph) {
  for (graph::CheckedNode& node : graph.nodes) {
    Silence(&node);
  }
  return graph;
}

}  // namespace percept::nodes
