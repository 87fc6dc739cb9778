// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "graph/config/pipeline_parts.h"
#include "graph/node/nearest.h"

namespace percept::graph {
namespace {

std::vector<NamedOutput> ParseOutputs(const Value& outputs) {
  std::vector<NamedOutput> parsed;
  for (const Value::Entry& entry : outputs.entries()) {
    RequireName(entry, "output");
    parsed.push_back({entry.key, entry.value.scalar(), entry.value.position()});
  }
  return parsed;
}

// `node.port` or `node` of a template's own node.
void RequireOwnNode(const TemplateDefinition& part, const NamedOutput& output) {
  const std::string node_name = output.from.substr(0, output.from.find('.'));
  const std::vector<std::string> names = NamesOf(part.nodes);
  if (std::count(names.begin(), names.end(), node_name)) return;
  throw DefinitionError(output.position, "output '" + output.name + "' of template '" + part.name + "': no node '" +
                                             node_name + "'" + NearestNames(node_name, names));
}

}  // namespace

const NamedOutput* TemplateDefinition::FindOutput(const std::string& output) const {
  const auto it =
      std::find_if(outputs.begin(), outputs.end(), [&](const NamedOutput& each) { return each.name == output; });
  return it == outputs.end() ? nullptr : &*it;
}

std::vector<std::string> TemplateDefinition::OutputNames() const { return NamesOf(outputs); }

TemplateDefinition ParseTemplate(const Value::Entry& entry) {
  RequireName(entry, "template");
  const std::string where = "template '" + entry.key + "'";
  RefuseUnknownKeys(entry.value, where, {"params", "nodes", "outputs", "feeds"});
  TemplateDefinition part;
  part.name = entry.key;
  part.position = entry.key_position;
  if (const Value* params = entry.value.Find("params")) part.params = ParseParamDecls(*params);
  const Value* nodes = entry.value.Find("nodes");
  if (!nodes) throw DefinitionError(entry.key_position, where + " has no 'nodes'");
  part.nodes = ParseNodes(*nodes);
  for (const NodeDefinition& node : part.nodes) {
    if (!node.use.is_null()) throw DefinitionError(node.position, where + " uses another one: not possible");
  }
  if (const Value* outputs = entry.value.Find("outputs")) part.outputs = ParseOutputs(*outputs);
  for (const NamedOutput& output : part.outputs) RequireOwnNode(part, output);
  if (const Value* feeds = entry.value.Find("feeds")) part.feeds = ParseOutputs(*feeds);
  for (const NamedOutput& feed : part.feeds) {
    if (part.FindOutput(feed.from)) continue;
    throw DefinitionError(feed.position,
                          where + " has no output '" + feed.from + "'" + NearestNames(feed.from, part.OutputNames()));
  }
  return part;
}

void NamingUse(const NodeDefinition& node, const std::function<void()>& work) {
  try {
    work();
  } catch (const DefinitionError& error) {
    if (node.used_as.empty()) throw;
    throw DefinitionError(error.position(),
                          error.message() + " (used as '" + node.used_as + "' at " + node.used_at.ToString() + ")");
  }
}

}  // namespace percept::graph
