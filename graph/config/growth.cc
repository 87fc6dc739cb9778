// SPDX-License-Identifier: Apache-2.0
#include "graph/config/growth.h"

#include <utility>

#include "graph/config/checked_graph.h"
#include "graph/config/wiring.h"

namespace percept::graph {
namespace {

void RequireFeeds(const GraphPart& part, const CheckedGraph& whole, const TemplateDefinition& from,
                  const std::string& part_name) {
  bool feeds = false;
  for (size_t i = 0; i < part.edges.size(); ++i) {
    if (part.fed_ports[i].empty()) continue;
    feeds = true;
    const CheckedNode& fed = whole.nodes[part.edges[i].to_node];
    if (fed.join.kind == JoinKind::kSettled) continue;
    throw DefinitionError(from.position, "template '" + from.name + "' feeds node " + NodeLabel(fed) +
                                             ", which joins by '" + ToString(fed.join.kind) +
                                             "': only settled joins take inputs while the graph runs (used as '" +
                                             part_name + "')");
  }
  if (feeds) return;
  throw DefinitionError(from.position, "template '" + from.name +
                                           "' feeds no node: what is added to a running graph says in 'feeds' where "
                                           "its outputs go (used as '" +
                                           part_name + "')");
}

Position ByName(const std::string& name) { return Position{std::make_shared<const std::string>(name), 0, 0}; }

}  // namespace

GraphPart CheckedGraph::CheckPart(const std::string& template_name, const std::string& part_name,
                                  const Arguments& arguments) const {
  if (!growth) throw DefinitionError(ByName(part_name), "the pipeline " + name + " has no templates");
  // The whole graph with the part in it is checked as if the file said so; the part stands behind the rest.
  CheckedGraph whole = Check(BindWith(*growth->unbound, template_name, part_name, arguments), growth->registry);
  const size_t num_old = nodes.size();
  GraphPart part;
  for (CheckedEdge& edge : whole.edges) {
    const bool is_new = edge.from_node >= num_old || edge.to_node >= num_old;
    if (!is_new) continue;
    if (edge.from_node < num_old) {
      throw DefinitionError(edge.position,
                            "node " + NodeLabel(whole.nodes[edge.to_node]) + " reads node " +
                                NodeLabel(whole.nodes[edge.from_node]) +
                                ", which runs already: a part added to a running graph reads its own nodes only");
    }
    part.fed_ports.push_back(edge.to_node < num_old ? whole.nodes[edge.to_node].input_ports[edge.to_port] : "");
    part.edges.push_back(std::move(edge));
  }
  for (const TemplateDefinition& each : growth->unbound->pipeline.templates) {
    if (each.name == template_name) RequireFeeds(part, whole, each, part_name);
  }
  part.nodes.assign(std::make_move_iterator(whole.nodes.begin() + static_cast<std::ptrdiff_t>(num_old)),
                    std::make_move_iterator(whole.nodes.end()));
  return part;
}

}  // namespace percept::graph
