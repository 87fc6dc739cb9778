// SPDX-License-Identifier: Apache-2.0
#include "graph/config/wiring.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "graph/config/graph_keys.h"
#include "graph/config/pipeline_parts.h"
#include "graph/config/structure.h"
#include "graph/config/topology.h"
#include "graph/node/nearest.h"

namespace percept::graph {
namespace {

std::string Accepted(const std::vector<TypeName>& types) {
  std::string text;
  for (const TypeName& type : types) text += (text.empty() ? "" : " or ") + type;
  return text;
}

class Wiring {
 public:
  Wiring(const PipelineDefinition& pipeline, CheckedGraph& graph) : pipeline_(pipeline), graph_(graph) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) node_idx_[graph.nodes[i].name] = i;
  }

  void Connect() {
    // All ports are named before any edge is made: an output may take its name from an input.
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      NamingUse(pipeline_.nodes[i], [&] { NamePorts(pipeline_.nodes[i], graph_.nodes[i]); });
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const std::vector<InputDefinition>& inputs = pipeline_.nodes[i].inputs;
      NamingUse(pipeline_.nodes[i], [&] {
        for (size_t port = 0; port < inputs.size(); ++port) AddEdge(inputs[port], i, port);
      });
    }
  }

 private:
  void NamePorts(const NodeDefinition& definition, CheckedNode& node) const;
  std::string PortName(const InputDefinition& input, const CheckedNode& node) const;
  void RequireInputs(const CheckedNode& node) const;
  void AddEdge(const InputDefinition& input, size_t node_idx, size_t port_idx);
  void SetDefaults(CheckedEdge& edge) const;
  size_t FindOutput(const InputDefinition& input, const std::string& port, const CheckedNode& from) const;

  const PipelineDefinition& pipeline_;
  CheckedGraph& graph_;
  std::map<std::string, size_t> node_idx_;
};

void Wiring::NamePorts(const NodeDefinition& definition, CheckedNode& node) const {
  Contract& contract = node.contract;
  if (contract.source != SourceKind::kNone && !definition.inputs.empty()) {
    throw DefinitionError(definition.inputs.front().position,
                          "node " + NodeLabel(node) + " is a source: it has no inputs");
  }
  std::set<std::string> seen;
  for (const InputDefinition& input : definition.inputs) {
    if (input.is_fed && !(contract.dynamic_inputs && contract.dynamic_inputs->grows)) {
      throw DefinitionError(input.position, "'" + input.port + "' uses a template that feeds node " + NodeLabel(node) +
                                                ", which takes no more inputs than it names");
    }
    const std::string port = PortName(input, node);
    if (!seen.insert(port).second) {
      throw DefinitionError(input.position, "input '" + port + "' of node " + NodeLabel(node) + " is connected twice");
    }
    node.input_ports.push_back(port);
    if (!contract.dynamic_outputs) continue;
    const DynamicOutputs& outputs = *contract.dynamic_outputs;
    const bool follows_input = InputOfType(outputs.type).has_value();
    const bool is_plain = definition.inputs.size() == 1 && port == contract.dynamic_inputs->single_name;
    contract.outputs.push_back(
        {.name = is_plain ? outputs.single_name : port,
         .type = follows_input ? "$" + port + (outputs.type.ends_with("[]") ? "[]" : "") : outputs.type,
         .doc = outputs.doc});
  }
  RequireInputs(node);
}

std::string Wiring::PortName(const InputDefinition& input, const CheckedNode& node) const {
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

void Wiring::RequireInputs(const CheckedNode& node) const {
  if (node.contract.dynamic_inputs && node.input_ports.empty()) {
    if (!node.grows) {
      throw DefinitionError(node.position, "node " + NodeLabel(node) + " has no input ('in')");
    }
    graph_.warnings.push_back(node.position.ToString() + ": node " + NodeLabel(node) +
                              " has no input before an instance of a template is added: only a "
                              "graph that is kept open can start so");
  }
  for (const InputPort& port : node.contract.inputs) {
    const bool connected = std::count(node.input_ports.begin(), node.input_ports.end(), port.name) != 0;
    if (port.required && !connected) {
      throw DefinitionError(node.position,
                            "input '" + port.name + "' of node " + NodeLabel(node) + " is not connected");
    }
  }
}

void Wiring::AddEdge(const InputDefinition& input, size_t node_idx, size_t port_idx) {
  const size_t dot = input.from.find('.');
  const std::string from_name = input.from.substr(0, dot);
  const auto from = node_idx_.find(from_name);
  if (from == node_idx_.end()) {
    throw DefinitionError(input.position, "input of node " + NodeLabel(graph_.nodes[node_idx]) + ": no node '" +
                                              from_name + "'" + NearestNames(from_name, NamesOf(graph_.nodes)));
  }
  CheckedEdge edge;
  edge.from_node = from->second;
  edge.from_port =
      FindOutput(input, dot == std::string::npos ? "" : input.from.substr(dot + 1), graph_.nodes[from->second]);
  edge.to_node = node_idx;
  edge.to_port = port_idx;
  edge.position = input.position;
  SetDefaults(edge);
  if (!input.limits.is_null()) ReadEdgeLimits(input, edge);
  graph_.edges.push_back(std::move(edge));
}

// What lies before a join is its state. What a live source brings is of use only while it is new, except to a join:
// there it waits for what goes with it, and would never get it if the next packet took its place.
void Wiring::SetDefaults(CheckedEdge& edge) const {
  const CheckedNode& to = graph_.nodes[edge.to_node];
  const bool collects = to.join.collects(to.input_ports.size());
  edge.limits.releases_credits = to.grows || collects;
  if (graph_.nodes[edge.from_node].contract.source != SourceKind::kLive) return;
  edge.limits.policy = collects && to.join.kind != JoinKind::kLatest ? DropPolicy::kDropOldest : DropPolicy::kLatest;
}

size_t Wiring::FindOutput(const InputDefinition& input, const std::string& port, const CheckedNode& from) const {
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

void CheckType(const CheckedGraph& graph, const CheckedEdge& edge) {
  const CheckedNode& to = graph.nodes[edge.to_node];
  const CheckedNode& from = graph.nodes[edge.from_node];
  const std::string& port = to.input_ports[edge.to_port];
  const std::vector<TypeName>& accepted =
      to.contract.dynamic_inputs ? to.contract.dynamic_inputs->types : to.contract.FindInput(port)->types;
  if (accepted.empty() || std::count(accepted.begin(), accepted.end(), edge.type)) return;
  throw DefinitionError(edge.position, "input '" + port + "' of node " + NodeLabel(to) + " takes " +
                                           Accepted(accepted) + ", but output '" +
                                           from.contract.outputs[edge.from_port].name + "' of node " + NodeLabel(from) +
                                           " at " + from.position.ToString() + " gives " + edge.type);
}

// The type of what comes on `input`; "" where it is not connected. `inputs`: the node's edges.
TypeName TypeOfInput(const CheckedNode& node, const std::vector<const CheckedEdge*>& inputs, const std::string& input) {
  for (const CheckedEdge* edge : inputs) {
    if (node.input_ports[edge->to_port] == input) return edge->type;
  }
  return "";
}

// "$in" of a node whose inputs the pipeline names: they, its control apart, must be of one type.
TypeName CommonType(const CheckedNode& node, std::vector<const CheckedEdge*> inputs) {
  const std::string& control = node.contract.dynamic_inputs->control;
  std::erase_if(inputs, [&](const CheckedEdge* edge) { return node.input_ports[edge->to_port] == control; });
  if (inputs.empty()) return "";
  for (const CheckedEdge* edge : inputs) {
    if (edge->type == inputs.front()->type) continue;
    throw DefinitionError(edge->position, "the inputs of node " + NodeLabel(node) + " must be of one type: '" +
                                              node.input_ports[inputs.front()->to_port] + "' is " +
                                              inputs.front()->type + ", '" + node.input_ports[edge->to_port] + "' is " +
                                              edge->type);
  }
  return inputs.front()->type;
}

void ResolveOutputs(CheckedNode& node, const std::vector<const CheckedEdge*>& inputs) {
  const bool is_common = node.contract.dynamic_inputs && !node.contract.dynamic_outputs;
  for (OutputPort& port : node.contract.outputs) {
    const std::optional<std::string> input = InputOfType(port.type);
    if (!input) continue;
    const TypeName type = is_common ? CommonType(node, inputs) : TypeOfInput(node, inputs, *input);
    if (type.empty()) {
      const std::string remedy = port.type_param.empty() ? "" : ": write " + port.type_param + ": TYPE";
      throw DefinitionError(node.position, "output '" + port.name + "' of node " + NodeLabel(node) +
                                               " has the type of its input '" + *input + "', which is not connected" +
                                               remedy);
    }
    port.type = type + (port.type.ends_with("[]") ? "[]" : "");
  }
}

}  // namespace

std::string NodeLabel(const CheckedNode& node) { return "'" + node.name + "' (" + node.contract.type + ")"; }

void ConnectNodes(const PipelineDefinition& pipeline, CheckedGraph& graph) { Wiring(pipeline, graph).Connect(); }

void ResolveTypes(CheckedGraph& graph) {
  std::vector<std::vector<CheckedEdge*>> inputs(graph.nodes.size());
  for (CheckedEdge& edge : graph.edges) inputs[edge.to_node].push_back(&edge);
  for (size_t node_idx : FlowOrder(graph)) {
    for (CheckedEdge* edge : inputs[node_idx]) {
      edge->type = graph.nodes[edge->from_node].contract.outputs[edge->from_port].type;
      CheckType(graph, *edge);
    }
    ResolveOutputs(graph.nodes[node_idx], {inputs[node_idx].begin(), inputs[node_idx].end()});
  }
}

void WarnUnread(CheckedGraph& graph) {
  for (const DeadPort& dead : DeadPortsOf(graph)) {
    const CheckedNode& node = graph.nodes[dead.node];
    graph.warnings.push_back(node.position.ToString() + ": no node reads output '" +
                             node.contract.outputs[dead.port].name + "' of node " + NodeLabel(node));
  }
}

}  // namespace percept::graph
