// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "graph/config/pipeline.h"
#include "graph/config/pipeline_parts.h"
#include "graph/config/scope.h"
#include "graph/node/nearest.h"

namespace percept::graph {
namespace {

Position ArgumentPosition(const std::string& name) {
  return Position{std::make_shared<const std::string>("--set " + name), 0, 0};
}

// One argument as a value of the parameter, or of one that is not declared.
Value ArgumentValue(const std::string& name, const std::vector<std::string>& texts, const ParamDecl* decl,
                    const Position& position) {
  std::vector<Value> items;
  for (const std::string& text : texts) items.push_back(Value::Scalar(text, position));
  if (decl && decl->is_list) return Value::List(std::move(items), position);
  if (items.size() == 1) return items.front();
  throw DefinitionError(position, "'" + name + "' takes one value, found " + std::to_string(items.size()));
}

void GiveArguments(const PipelineDefinition& pipeline, const Arguments& arguments, Scope& scope) {
  for (const auto& [name, text] : arguments.implied) {
    if (const ParamDecl* decl = scope.FindDecl(name)) {
      throw DefinitionError(decl->position, "`" + name + "` is a parameter every pipeline has; it is not declared");
    }
    scope.Give(name, Value::Scalar(text, ArgumentPosition(name)));
  }
  for (const auto& [reference, text] : arguments.parts) scope.GivePart(reference, text);
  const std::vector<std::string> names = scope.Names();
  for (const auto& [name, texts] : arguments.values) {
    if (!std::count(names.begin(), names.end(), name)) {
      throw DefinitionError(ArgumentPosition(name), "the pipeline " + pipeline.name + " has no parameter '" + name +
                                                        "'" + NearestNames(name, names));
    }
    scope.Give(name, ArgumentValue(name, texts, scope.FindDecl(name), ArgumentPosition(name)));
  }
}

NodeDefinition BindNode(const NodeDefinition& definition, Scope& scope) {
  NodeDefinition node = definition;
  node.type = scope.Fill(node.type);
  node.use = scope.Fill(node.use);
  for (InputDefinition& input : node.inputs) {
    input.from = scope.Fill(Value::Scalar(input.from, input.position)).scalar();
    input.limits = scope.Fill(input.limits);
  }
  std::erase_if(node.params, [&](const Value::Entry& entry) { return scope.IsAbsent(entry.value); });
  for (Value::Entry& entry : node.params) entry.value = scope.Fill(entry.value);
  return node;
}

std::string NodeOf(const std::string& from) { return from.substr(0, from.find('.')); }

// Puts the nodes of a template in the place of each node that uses it.
class Expansion {
 public:
  Expansion(const PipelineDefinition& pipeline, Scope& scope, PipelineDefinition& bound)
      : pipeline_(pipeline), scope_(scope), bound_(bound) {}

  void Run() {
    for (const NodeDefinition& node : pipeline_.nodes) {
      NodeDefinition filled = BindNode(node, scope_);
      if (filled.use.is_null()) {
        bound_.nodes.push_back(std::move(filled));
      } else {
        Use(filled);
      }
    }
    // Only now is every use known: a node may read one that is written after it.
    for (NodeDefinition& node : bound_.nodes) {
      NamingUse(node, [&] {
        for (InputDefinition& input : node.inputs) Redirect(input);
      });
    }
    for (const auto& [name, use] : uses_) Feed(name, use);
    for (const TemplateDefinition& part : pipeline_.templates) RequireKnownNames(part);
  }

 private:
  struct Used {
    const TemplateDefinition* part;
    Position position;
  };

  const TemplateDefinition& Find(const Value& name) const {
    for (const TemplateDefinition& part : pipeline_.templates) {
      if (part.name == name.scalar()) return part;
    }
    throw DefinitionError(name.position(), "unknown template '" + name.scalar() + "'" +
                                               NearestNames(name.scalar(), NamesOf(pipeline_.templates)));
  }

  // Also of a template that nobody uses: Graph::Add may.
  void RequireKnownNames(const TemplateDefinition& part) {
    const Scope scope(part.params, &scope_);
    for (const NodeDefinition& node : part.nodes) {
      scope.RequireKnown(node.type);
      for (const InputDefinition& input : node.inputs) {
        scope.RequireKnown(Value::Scalar(input.from, input.position));
        scope.RequireKnown(input.limits);
      }
      for (const Value::Entry& entry : node.params) scope.RequireKnown(entry.value);
    }
  }

  void Use(const NodeDefinition& use) {
    const TemplateDefinition& part = Find(use.use);
    Scope scope(part.params, &scope_);
    GiveParams(use, part, scope);
    uses_[use.name] = {&part, use.position};
    for (NodeDefinition node : part.nodes) {
      node.used_as = use.name;
      node.used_at = use.position;
      node.template_name = part.name;
      NamingUse(node, [&] { AddNode(use, part, BindNode(node, scope)); });
    }
  }

  // A use that a program adds stands in no file: the template's place is what there is to look at.
  static void GiveParams(const NodeDefinition& use, const TemplateDefinition& part, Scope& scope) {
    try {
      for (const Value::Entry& entry : use.params) {
        if (!scope.FindDecl(entry.key)) {
          throw DefinitionError(entry.key_position, "unknown key '" + entry.key + "' in a use of template '" +
                                                        part.name + "'" +
                                                        NearestNames(entry.key, NamesOf(part.params)));
        }
        scope.Give(entry.key, entry.value);
      }
      scope.BindAll(use.position);
    } catch (const DefinitionError& error) {
      if (use.position.line > 0 || error.position().line > 0) throw;
      throw DefinitionError(error.position(),
                            error.message() + " (template '" + part.name + "' at " + part.position.ToString() + ")");
    }
  }

  void AddNode(const NodeDefinition& use, const TemplateDefinition& part, NodeDefinition node) {
    for (InputDefinition& input : node.inputs) {
      const auto is_it = [&](const NodeDefinition& each) { return each.name == NodeOf(input.from); };
      if (std::any_of(part.nodes.begin(), part.nodes.end(), is_it)) input.from = use.name + "/" + input.from;
    }
    node.name = use.name + "/" + node.name;
    bound_.nodes.push_back(std::move(node));
  }

  // "north.frames" -> "north/pick.out".
  void Redirect(InputDefinition& input) const {
    const auto use = uses_.find(NodeOf(input.from));
    if (use == uses_.end()) return;
    const TemplateDefinition& part = *use->second.part;
    const size_t dot = input.from.find('.');
    const std::string name = dot == std::string::npos ? "" : input.from.substr(dot + 1);
    const NamedOutput* output = name.empty() && part.outputs.size() == 1 ? &part.outputs[0] : part.FindOutput(name);
    if (!output) {
      const std::string what = name.empty() ? "several outputs: name one" : "no output '" + name + "'";
      throw DefinitionError(input.position, "'" + use->first + "', a use of template '" + part.name + "', has " + what +
                                                NearestNames(name, part.OutputNames()));
    }
    input.from = use->first + "/" + output->from;
  }

  void Feed(const std::string& name, const Used& use) {
    for (const NamedOutput& feed : use.part->feeds) {
      const auto is_it = [&](const NodeDefinition& each) { return each.name == feed.name; };
      const auto node = std::find_if(bound_.nodes.begin(), bound_.nodes.end(), is_it);
      if (node == bound_.nodes.end()) {
        throw DefinitionError(feed.position, "template '" + use.part->name + "' feeds node '" + feed.name +
                                                 "', which there is not" +
                                                 NearestNames(feed.name, NamesOf(pipeline_.nodes)));
      }
      const std::string from = name + "/" + use.part->FindOutput(feed.from)->from;
      node->inputs.push_back({name, from, use.position, {}, /*is_fed=*/true});
    }
  }

  const PipelineDefinition& pipeline_;
  Scope& scope_;
  PipelineDefinition& bound_;
  std::map<std::string, Used> uses_;
};

}  // namespace

PipelineDefinition Bind(const PipelineDefinition& pipeline, const Arguments& arguments) {
  Scope scope(pipeline.params);
  GiveArguments(pipeline, arguments, scope);
  scope.BindAll({});
  PipelineDefinition bound = pipeline;
  bound.nodes.clear();
  Expansion(pipeline, scope, bound).Run();
  bound.limits = scope.Fill(pipeline.limits);
  if (!pipeline.templates.empty()) bound.unbound = std::make_shared<const Unbound>(Unbound{pipeline, arguments});
  return bound;
}

PipelineDefinition BindWith(const Unbound& unbound, const std::string& template_name, const std::string& name,
                            const Arguments& arguments) {
  NodeDefinition use;
  use.name = name;
  use.position = Position{std::make_shared<const std::string>(name), 0, 0};
  RequireName({name, use.position, {}}, "node");
  use.use = Value::Scalar(template_name, use.position);
  PipelineDefinition pipeline = unbound.pipeline;
  const auto part = std::find_if(pipeline.templates.begin(), pipeline.templates.end(),
                                 [&](const TemplateDefinition& each) { return each.name == template_name; });
  for (const auto& [key, texts] : arguments.values) {
    const ParamDecl* decl = nullptr;
    if (part != pipeline.templates.end()) {
      for (const ParamDecl& each : part->params) decl = each.name == key ? &each : decl;
    }
    use.params.push_back({key, use.position, EscapeReferences(ArgumentValue(key, texts, decl, use.position))});
  }
  for (const NodeDefinition& node : pipeline.nodes) {
    if (node.name == name) throw DefinitionError(use.position, "there is a node '" + name + "' already");
  }
  pipeline.nodes.push_back(std::move(use));
  return Bind(pipeline, unbound.arguments);
}

}  // namespace percept::graph
