// SPDX-License-Identifier: Apache-2.0
#include "graph/config/graph_builder.h"

#include <charconv>
#include <memory>
#include <utility>

namespace percept::graph {

GraphBuilder::GraphBuilder(std::string name) {
  pipeline_.position.file = std::make_shared<const std::string>(name);
  pipeline_.name = std::move(name);
}

GraphBuilder::NodeRef GraphBuilder::Node(const std::string& name, const std::string& type) {
  NodeDefinition node;
  node.name = name;
  node.position = pipeline_.position;
  node.type = Value::Scalar(type, pipeline_.position);
  pipeline_.nodes.push_back(std::move(node));
  return NodeRef(*this, pipeline_.nodes.size() - 1);
}

CheckedGraph GraphBuilder::Check(const Registry& registry) const { return graph::Check(pipeline_, registry); }

GraphBuilder::NodeRef& GraphBuilder::NodeRef::In(const std::string& from) { return In("", from); }

GraphBuilder::NodeRef& GraphBuilder::NodeRef::In(const std::string& port, const std::string& from) {
  node().inputs.push_back({port, from, builder_.pipeline_.position});
  return *this;
}

GraphBuilder::NodeRef& GraphBuilder::NodeRef::Set(const std::string& param, Value value) {
  node().params.push_back({param, builder_.pipeline_.position, std::move(value)});
  return *this;
}

GraphBuilder::NodeRef& GraphBuilder::NodeRef::Set(const std::string& param, const std::string& value) {
  return Set(param, Value::Scalar(value, builder_.pipeline_.position));
}

GraphBuilder::NodeRef& GraphBuilder::NodeRef::Set(const std::string& param, const char* value) {
  return Set(param, std::string(value));
}

GraphBuilder::NodeRef& GraphBuilder::NodeRef::Set(const std::string& param, int64_t value) {
  return Set(param, std::to_string(value));
}

GraphBuilder::NodeRef& GraphBuilder::NodeRef::Set(const std::string& param, int value) {
  return Set(param, static_cast<int64_t>(value));
}

GraphBuilder::NodeRef& GraphBuilder::NodeRef::Set(const std::string& param, double value) {
  char text[32];  // the shortest text that reads back as the same number
  const auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  return Set(param, std::string(text, end));
}

GraphBuilder::NodeRef& GraphBuilder::NodeRef::Set(const std::string& param, bool value) {
  return Set(param, std::string(value ? "true" : "false"));
}

GraphBuilder::NodeRef& GraphBuilder::NodeRef::Set(const std::string& param, const std::vector<std::string>& values) {
  std::vector<Value> items;
  for (const std::string& value : values) items.push_back(Value::Scalar(value, builder_.pipeline_.position));
  return Set(param, Value::List(std::move(items), builder_.pipeline_.position));
}

}  // namespace percept::graph
