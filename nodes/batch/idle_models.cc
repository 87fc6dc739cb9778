// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/idle_models.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "graph/node/node.h"
#include "nodes/file_uses.h"
#include "nodes/model_params.h"

namespace percept::nodes {
namespace {

// Sees no packet, unless the input can be read all of a sudden: then it fails all the same.
class IdleNode : public graph::Node {
 public:
  explicit IdleNode(std::string reason) : reason_(std::move(reason)) {}
  graph::Process Process(graph::NodeContext& context) override {
    if (!context.inputs().empty()) {
      context.SendError(graph::ErrorKind::kBadInput, reason_);
    }
    return graph::Process::kNeedInput;
  }

 private:
  const std::string reason_;
};

bool AllSourcesRead(const graph::CheckedGraph& graph, const std::string& file) {
  std::set<std::string> readers, others;
  for (const NodeFile& read : FilesOf(graph).read) {
    (read.file == file ? readers : others).insert(read.node);
  }
  return std::all_of(graph.nodes.begin(), graph.nodes.end(), [&](const graph::CheckedNode& node) {
    return node.contract.source == graph::SourceKind::kNone ||
           (readers.count(node.name) != 0 && others.count(node.name) == 0);
  });
}

}  // namespace

void IdleModels(const BatchInput& input, const std::string& reason, graph::CheckedGraph* graph) {
  if (!AllSourcesRead(*graph, input.name)) {
    return;
  }
  for (graph::CheckedNode& node : graph->nodes) {
    if (RunsModel(node.contract)) {
      node.make = [reason](const graph::ParamValues&, const graph::Services&) {
        return std::make_unique<IdleNode>(reason);
      };
    }
  }
}

}  // namespace percept::nodes
