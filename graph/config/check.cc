// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <utility>

#include "graph/config/bursts.h"
#include "graph/config/checked_graph.h"
#include "graph/config/credits.h"
#include "graph/config/fan_out.h"
#include "graph/config/graph_keys.h"
#include "graph/config/growth.h"
#include "graph/config/host_bytes.h"
#include "graph/config/pipeline_parts.h"
#include "graph/config/topology.h"
#include "graph/config/wiring.h"
#include "graph/node/nearest.h"

namespace percept::graph {
namespace {

void SetTypesFromParams(CheckedNode& node) {
  for (InputPort& port : node.contract.inputs) {
    if (!port.type_param.empty()) port.types = {node.params.Get<std::string>(port.type_param)};
  }
  for (OutputPort& port : node.contract.outputs) {
    if (node.params.Has(port.type_param)) port.type = node.params.Get<std::string>(port.type_param);
  }
  if (!node.contract.dynamic_inputs) return;
  DynamicInputs& inputs = *node.contract.dynamic_inputs;
  if (node.params.Has(inputs.type_param)) inputs.types = {node.params.Get<std::string>(inputs.type_param)};
}

class Checker {
 public:
  Checker(const PipelineDefinition& pipeline, const Registry& registry) : pipeline_(pipeline), registry_(registry) {}

  CheckedGraph Run();

 private:
  static void CheckParams(const NodeType& type, const CheckedNode& node);
  const NodeType& FindType(const Value& name) const;
  // What can be told of a template's nodes before anybody uses it.
  void CheckTemplate(const TemplateDefinition& part) const;
  bool IsFed(const NodeDefinition& definition) const;
  void ReadLimits();
  void AddNode(const NodeDefinition& definition);
  void ReadParams(const NodeDefinition& definition, CheckedNode& node);
  static const ParamDecl& FindParam(const Value::Entry& entry, const CheckedNode& node);

  const PipelineDefinition& pipeline_;
  const Registry& registry_;
  std::set<std::string> names_;
  CheckedGraph graph_;
};

CheckedGraph Checker::Run() {
  graph_.name = pipeline_.name;
  graph_.description = pipeline_.description;
  ReadLimits();
  for (const NodeDefinition& definition : pipeline_.nodes) {
    NamingUse(definition, [&] { AddNode(definition); });
  }
  ConnectNodes(pipeline_, graph_);
  SetDepths(graph_);
  ResolveTypes(graph_);
  RequireMaxWaits(graph_);
  std::vector<HeldBack> held_back = SizeFanOuts(graph_);
  SizeBursts(graph_, held_back);
  SizeInFlight(graph_);
  ShareHostBytes(graph_, held_back);
  for (const CheckedNode& node : graph_.nodes) {
    const NodeType& type = *registry_.Find(node.contract.type);
    if (type.check) CheckParams(type, node);
  }
  for (const TemplateDefinition& part : pipeline_.templates) CheckTemplate(part);
  WarnUnread(graph_);
  return std::move(graph_);
}

// A refusal that names no place is about the node.
void Checker::CheckParams(const NodeType& type, const CheckedNode& node) {
  try {
    type.check(node.params, node.input_ports);
  } catch (const DefinitionError& error) {
    if (error.position().file) throw;
    throw DefinitionError(node.position, "node '" + node.name + "' (" + node.contract.type + ") " + error.message());
  }
}

void Checker::ReadLimits() {
  if (pipeline_.limits.is_null()) {
    if (!pipeline_.limits.position().file) return;  // the file has none
    throw DefinitionError(pipeline_.limits.position(),
                          "'limits' says nothing: give 'host_bytes' or 'pixels', or leave it out");
  }
  static const std::vector<ParamDecl> decls = {{.name = "host_bytes", .type = ParamType::kBytes, .min = 1},
                                               {.name = "pixels", .type = ParamType::kInt, .min = 1}};
  const ParamValues keys = ReadKeys(pipeline_.limits, decls, "'limits'");
  graph_.limits.position = pipeline_.limits.position();
  if (keys.Has("host_bytes")) {
    graph_.limits.host_bytes = keys.Get<int64_t>("host_bytes");
    graph_.limits.position = keys.PositionOf("host_bytes");
  }
  if (keys.Has("pixels")) graph_.limits.pixels = keys.Get<int64_t>("pixels");
}

bool Checker::IsFed(const NodeDefinition& definition) const {
  const auto feeds = [&](const NamedOutput& feed) { return feed.name == definition.name; };
  return std::any_of(pipeline_.templates.begin(), pipeline_.templates.end(), [&](const TemplateDefinition& part) {
    return std::any_of(part.feeds.begin(), part.feeds.end(), feeds);
  });
}

const NodeType& Checker::FindType(const Value& name) const {
  if (const NodeType* type = registry_.Find(name.scalar())) return *type;
  throw DefinitionError(name.position(),
                        "unknown node type '" + name.scalar() + "'" + NearestNames(name.scalar(), registry_.Types()));
}

void Checker::CheckTemplate(const TemplateDefinition& part) const {
  const auto is_open = [](const std::string& text) { return text.find("${") != std::string::npos; };
  for (const NodeDefinition& definition : part.nodes) {
    if (is_open(definition.type.scalar())) continue;
    CheckedNode node;
    node.name = definition.name;
    node.contract = FindType(definition.type).contract;
    for (const Value::Entry& entry : definition.params) {
      if (IsGraphKey(entry.key)) continue;
      const ParamDecl& decl = FindParam(entry, node);
      if (entry.value.is_scalar() && !is_open(entry.value.scalar())) ParseParam(decl, entry.value);
    }
  }
}

void Checker::AddNode(const NodeDefinition& definition) {
  const NodeType* type = &FindType(definition.type);
  if (!names_.insert(definition.name).second) {
    throw DefinitionError(definition.position, "node '" + definition.name + "' twice");
  }
  CheckedNode node;
  node.name = definition.name;
  node.position = definition.position;
  node.instance = definition.used_as;
  node.template_name = definition.template_name;
  node.contract = type->contract;
  node.make = type->make;
  if (node.contract.source != SourceKind::kNone) node.in_flight = node.contract.in_flight;
  if (node.contract.source == SourceKind::kLive) node.retry.limit = 0;  // a camera may come back any day
  ReadParams(definition, node);
  SetTypesFromParams(node);
  node.grows = node.contract.dynamic_inputs && node.contract.dynamic_inputs->grows && IsFed(definition);
  node.own_join = static_cast<bool>(type->join);
  if (type->join) node.join = type->join(node.params);
  for (const Value::Entry& entry : definition.params) {
    if (IsGraphKey(entry.key)) ReadGraphKey(entry, definition.inputs.size(), node);
  }
  if (type->state) node.contract.state = type->state(node.params);
  if (type->timing) node.timing = type->timing(node.params);
  graph_.nodes.push_back(std::move(node));
}

void Checker::ReadParams(const NodeDefinition& definition, CheckedNode& node) {
  for (const Value::Entry& entry : definition.params) {
    if (IsGraphKey(entry.key)) continue;
    const ParamDecl& decl = FindParam(entry, node);
    node.params.Set(decl.name, ParseParam(decl, entry.value), entry.value.position());
  }
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

const ParamDecl& Checker::FindParam(const Value::Entry& entry, const CheckedNode& node) {
  if (const ParamDecl* decl = node.contract.FindParam(entry.key)) return *decl;
  std::vector<std::string> valid = NamesOf(node.contract.params);
  const bool is_source = node.contract.source != SourceKind::kNone;
  valid.insert(valid.end(), {"type", is_source ? "in_flight" : "in"});
  throw DefinitionError(entry.key_position,
                        "unknown key '" + entry.key + "' in node " + NodeLabel(node) + NearestNames(entry.key, valid));
}

}  // namespace

CheckedGraph Check(const PipelineDefinition& bound, const Registry& registry) {
  CheckedGraph graph = Checker(bound, registry).Run();
  if (bound.unbound) graph.growth = std::make_shared<const Growth>(Growth{bound.unbound, registry});
  return graph;
}

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
