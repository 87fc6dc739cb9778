// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <utility>

#include "graph/config/checked_graph.h"
#include "graph/config/topology.h"
#include "graph/node/nearest.h"

namespace percept::graph {
namespace {

std::string NodeLabel(const CheckedNode& node) { return "'" + node.name + "' (" + node.contract.type + ")"; }

std::string Accepted(const std::vector<TypeName>& types) {
  std::string text;
  for (const TypeName& type : types) text += (text.empty() ? "" : " or ") + type;
  return text;
}

template <class T>
std::vector<std::string> NamesOf(const std::vector<T>& list) {
  std::vector<std::string> names;
  for (const T& entry : list) names.push_back(entry.name);
  return names;
}

class Checker {
 public:
  Checker(const PipelineDefinition& pipeline, const Registry& registry) : pipeline_(pipeline), registry_(registry) {}

  CheckedGraph Run();

 private:
  void AddNode(const NodeDefinition& definition);
  void ReadParams(const NodeDefinition& definition, CheckedNode& node);
  void ReadParam(const Value::Entry& entry, CheckedNode& node);
  void Connect(const NodeDefinition& definition, size_t node_idx);
  std::string PortName(const InputDefinition& input, const CheckedNode& node) const;
  void AddEdge(const InputDefinition& input, size_t node_idx);
  size_t FindOutput(const InputDefinition& input, const std::string& port, const CheckedNode& from) const;
  void CheckTypes(const CheckedEdge& edge) const;
  void WarnUnread();

  const PipelineDefinition& pipeline_;
  const Registry& registry_;
  std::map<std::string, size_t> node_idx_;
  CheckedGraph graph_;
};

CheckedGraph Checker::Run() {
  graph_.name = pipeline_.name;
  graph_.description = pipeline_.description;
  for (const NodeDefinition& definition : pipeline_.nodes) AddNode(definition);
  for (size_t i = 0; i < graph_.nodes.size(); ++i) Connect(pipeline_.nodes[i], i);
  SetDepths(graph_);
  for (const CheckedNode& node : graph_.nodes) {
    const NodeType& type = *registry_.Find(node.contract.type);
    if (type.check) type.check(node.params, node.input_ports);
  }
  WarnUnread();
  return std::move(graph_);
}

void Checker::AddNode(const NodeDefinition& definition) {
  const std::string& type_name = definition.type.scalar();
  const NodeType* type = registry_.Find(type_name);
  if (!type) {
    throw DefinitionError(definition.type.position(),
                          "unknown node type '" + type_name + "'" + NearestNames(type_name, registry_.Types()));
  }
  if (!node_idx_.emplace(definition.name, graph_.nodes.size()).second) {
    throw DefinitionError(definition.position, "node '" + definition.name + "' twice");
  }
  CheckedNode node;
  node.name = definition.name;
  node.position = definition.position;
  node.contract = type->contract;
  node.make = type->make;
  if (node.contract.source != SourceKind::kNone) node.in_flight = node.contract.in_flight;
  ReadParams(definition, node);
  graph_.nodes.push_back(std::move(node));
}

void Checker::ReadParams(const NodeDefinition& definition, CheckedNode& node) {
  for (const Value::Entry& entry : definition.params) ReadParam(entry, node);
  for (const ParamDecl& decl : node.contract.params) {
    if (node.params.Has(decl.name)) continue;
    if (decl.required) {
      throw DefinitionError(node.position, "node " + NodeLabel(node) + " lacks its parameter '" + decl.name + "' (" +
                                               decl.TypeName() + ")");
    }
    if (decl.default_value) {
      node.params.Set(decl.name, ParseParam(decl, *decl.default_value), node.position);
    }
  }
}

void Checker::ReadParam(const Value::Entry& entry, CheckedNode& node) {
  const bool is_source = node.contract.source != SourceKind::kNone;
  if (is_source && entry.key == "in_flight") {
    ParamDecl decl;
    decl.name = "in_flight";
    decl.type = ParamType::kInt;
    decl.min = 1;
    node.in_flight = std::get<int64_t>(ParseParam(decl, entry.value));
    return;
  }
  const ParamDecl* decl = node.contract.FindParam(entry.key);
  if (!decl) {
    std::vector<std::string> valid = NamesOf(node.contract.params);
    valid.insert(valid.end(), {"type", is_source ? "in_flight" : "in"});
    throw DefinitionError(entry.key_position, "unknown key '" + entry.key + "' in node " + NodeLabel(node) +
                                                  NearestNames(entry.key, valid));
  }
  node.params.Set(decl->name, ParseParam(*decl, entry.value), entry.value.position());
}

void Checker::Connect(const NodeDefinition& definition, size_t node_idx) {
  CheckedNode& node = graph_.nodes[node_idx];
  if (node.contract.source != SourceKind::kNone && !definition.inputs.empty()) {
    throw DefinitionError(definition.inputs.front().position,
                          "node " + NodeLabel(node) + " is a source: it has no inputs");
  }
  for (const InputDefinition& input : definition.inputs) AddEdge(input, node_idx);
  if (node.contract.dynamic_inputs && node.input_ports.empty()) {
    throw DefinitionError(node.position, "node " + NodeLabel(node) + " has no input ('in')");
  }
  for (const InputPort& port : node.contract.inputs) {
    const bool connected = std::count(node.input_ports.begin(), node.input_ports.end(), port.name) != 0;
    if (port.required && !connected) {
      throw DefinitionError(node.position,
                            "input '" + port.name + "' of node " + NodeLabel(node) + " is not connected");
    }
  }
}

std::string Checker::PortName(const InputDefinition& input, const CheckedNode& node) const {
  const Contract& contract = node.contract;
  if (contract.dynamic_inputs) return input.port.empty() ? contract.dynamic_inputs->single_name : input.port;
  const std::vector<std::string> names = NamesOf(contract.inputs);
  if (!input.port.empty()) {
    if (contract.FindInput(input.port)) return input.port;
    throw DefinitionError(input.position, "node " + NodeLabel(node) + " has no input '" + input.port + "'" +
                                              NearestNames(input.port, names));
  }
  if (names.size() == 1) return names.front();
  throw DefinitionError(
      input.position, "node " + NodeLabel(node) + " has several inputs: 'in' must name them" + NearestNames("", names));
}

void Checker::AddEdge(const InputDefinition& input, size_t node_idx) {
  CheckedNode& node = graph_.nodes[node_idx];
  const size_t dot = input.from.find('.');
  const std::string from_name = input.from.substr(0, dot);
  auto from = node_idx_.find(from_name);
  if (from == node_idx_.end()) {
    throw DefinitionError(input.position, "input of node " + NodeLabel(node) + ": no node '" + from_name + "'" +
                                              NearestNames(from_name, NamesOf(graph_.nodes)));
  }
  CheckedEdge edge;
  edge.from_node = from->second;
  const CheckedNode& from_node = graph_.nodes[edge.from_node];
  edge.from_port = FindOutput(input, dot == std::string::npos ? "" : input.from.substr(dot + 1), from_node);
  edge.type = from_node.contract.outputs[edge.from_port].type;
  edge.to_node = node_idx;
  edge.to_port = node.input_ports.size();
  edge.position = input.position;
  const std::string port = PortName(input, node);
  if (std::count(node.input_ports.begin(), node.input_ports.end(), port)) {
    throw DefinitionError(input.position, "input '" + port + "' of node " + NodeLabel(node) + " is connected twice");
  }
  node.input_ports.push_back(port);
  CheckTypes(edge);
  graph_.edges.push_back(std::move(edge));
}

size_t Checker::FindOutput(const InputDefinition& input, const std::string& port, const CheckedNode& from) const {
  const std::vector<std::string> names = NamesOf(from.contract.outputs);
  if (names.empty()) throw DefinitionError(input.position, "node " + NodeLabel(from) + " has no outputs");
  const bool is_named = input.from.find('.') != std::string::npos;
  if (!is_named && names.size() == 1) return 0;
  if (!is_named) {
    throw DefinitionError(input.position,
                          "node " + NodeLabel(from) + " has several outputs: name one" + NearestNames("", names));
  }
  const auto it = std::find(names.begin(), names.end(), port);
  if (it == names.end()) {
    throw DefinitionError(input.position,
                          "node " + NodeLabel(from) + " has no output '" + port + "'" + NearestNames(port, names));
  }
  return static_cast<size_t>(it - names.begin());
}

void Checker::CheckTypes(const CheckedEdge& edge) const {
  const CheckedNode& to = graph_.nodes[edge.to_node];
  const CheckedNode& from = graph_.nodes[edge.from_node];
  const std::string& port = to.input_ports[edge.to_port];
  const std::vector<TypeName>& accepted =
      to.contract.dynamic_inputs ? to.contract.dynamic_inputs->types : to.contract.FindInput(port)->types;
  if (accepted.empty() || std::count(accepted.begin(), accepted.end(), edge.type)) return;
  throw DefinitionError(edge.position, "input '" + port + "' of node " + NodeLabel(to) + " takes " +
                                           Accepted(accepted) + ", but output '" +
                                           from.contract.outputs[edge.from_port].name + "' of node " + NodeLabel(from) +
                                           " at " + from.position.ToString() + " gives " + edge.type);
}

void Checker::WarnUnread() {
  for (size_t node_idx = 0; node_idx < graph_.nodes.size(); ++node_idx) {
    const CheckedNode& node = graph_.nodes[node_idx];
    for (size_t port = 0; port < node.contract.outputs.size(); ++port) {
      const bool is_read = std::any_of(graph_.edges.begin(), graph_.edges.end(), [&](const CheckedEdge& edge) {
        return edge.from_node == node_idx && edge.from_port == port;
      });
      if (is_read) continue;
      graph_.warnings.push_back(node.position.ToString() + ": no node reads output '" +
                                node.contract.outputs[port].name + "' of node " + NodeLabel(node));
    }
  }
}

}  // namespace

CheckedGraph Check(const PipelineDefinition& bound, const Registry& registry) { return Checker(bound, registry).Run(); }

CheckedGraph CheckFile(const std::string& path, const Registry& registry, const Arguments& arguments) {
  return Check(Bind(LoadPipeline(path), arguments), registry);
}

std::string CheckedGraph::EdgeName(const CheckedEdge& edge) const {
  const CheckedNode& from = nodes[edge.from_node];
  const CheckedNode& to = nodes[edge.to_node];
  return from.name + "." + from.contract.outputs[edge.from_port].name + " -> " + to.name + "." +
         to.input_ports[edge.to_port];
}

}  // namespace percept::graph
