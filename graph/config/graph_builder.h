// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/config/checked_graph.h"

namespace percept::graph {

// The same definition in code:
//   GraphBuilder builder("demo");
//   builder.Node("read", "image.file").Set("path", "receipt.png");
//   builder.Node("see", "encode.vision").In("read.image").Set("budget", 70);
//   CheckedGraph graph = builder.Check(registry);
class GraphBuilder {
 public:
  class NodeRef {
   public:
    // The node's only input.
    NodeRef& In(const std::string& from);
    NodeRef& In(const std::string& port, const std::string& from);
    NodeRef& Set(const std::string& param, const std::string& value);
    NodeRef& Set(const std::string& param, const char* value);
    NodeRef& Set(const std::string& param, int64_t value);
    NodeRef& Set(const std::string& param, int value);
    NodeRef& Set(const std::string& param, double value);
    NodeRef& Set(const std::string& param, bool value);
    NodeRef& Set(const std::string& param, const std::vector<std::string>& values);
    // Any YAML.
    NodeRef& Set(const std::string& param, Value value);

   private:
    friend class GraphBuilder;
    NodeRef(GraphBuilder& builder, size_t node_idx) : builder_(builder), node_idx_(node_idx) {}
    NodeDefinition& node() { return builder_.pipeline_.nodes[node_idx_]; }
    GraphBuilder& builder_;
    size_t node_idx_;
  };

  explicit GraphBuilder(std::string name);
  NodeRef Node(const std::string& name, const std::string& type);
  // Throws DefinitionError as Check of a file does; positions name the builder.
  CheckedGraph Check(const Registry& registry) const;

 private:
  PipelineDefinition pipeline_;
};

}  // namespace percept::graph
