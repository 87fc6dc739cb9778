// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/node/params.h"
#include "graph/node/value.h"

namespace percept::graph {

// One connection as written: the input port ("" where `in:` names none) and "node.port" or "node".
struct InputDefinition {
  std::string port;
  std::string from;
  Position position;
  Value limits;         // the other keys of `{ from: node.port, ... }`; nothing where it is a plain scalar
  bool is_fed = false;  // plugged in by the `feeds` of a template
};

struct NodeDefinition {
  std::string name;
  Position position;
  Value type;           // or
  Value use;            // a template's name, until Bind puts the template's nodes in its place
  std::string used_as;  // nodes of a template: the name and place of the node that uses it
  Position used_at;
  std::string template_name;  // of these nodes
  std::vector<InputDefinition> inputs;
  std::vector<Value::Entry> params;  // the other keys, `in_flight` included
};

// A name for an output: "node.port" or "node".
struct NamedOutput {
  std::string name;
  std::string from;
  Position position;
};

// A part of a graph, used under a name as often as wanted: `north: { use: camera, url: ... }`.
struct TemplateDefinition {
  std::string name;
  Position position;
  std::vector<ParamDecl> params;
  std::vector<NodeDefinition> nodes;
  std::vector<NamedOutput> outputs;
  std::vector<NamedOutput> feeds;  // a node of the pipeline, and the output (`from`) that each use plugs into it

  // nullptr where there is none.
  const NamedOutput* FindOutput(const std::string& output) const;
  std::vector<std::string> OutputNames() const;
};

struct Unbound;

// A pipeline file as it was written: its structure is sound, its names are not yet looked up.
struct PipelineDefinition {
  std::string name;  // the file's name, or what the program calls it
  std::string description;
  Position position;
  std::vector<ParamDecl> params;
  std::vector<TemplateDefinition> templates;
  Value limits;  // of the whole graph
  std::vector<NodeDefinition> nodes;
  std::shared_ptr<const Unbound> unbound;  // what it was bound from; null before Bind and where there are no templates
};

// Reads the text of a pipeline file. Throws DefinitionError: not YAML, an unknown or duplicate key, a wrong shape.
PipelineDefinition ParsePipeline(const std::string& text, const std::string& file_name);
// The text of the file at `path`. Throws DefinitionError: a folder, or what cannot be opened.
std::string ReadPipelineText(const std::string& path);
// ParsePipeline of a file.
PipelineDefinition LoadPipeline(const std::string& path);

// What a run gives to a pipeline's parameters (`--set name=value`); several values for a list.
struct Arguments {
  std::map<std::string, std::vector<std::string>> values;
  // Parameters that every pipeline has without declaring them ("model"), with their values; `values` goes before.
  std::map<std::string, std::string> implied;
  // Parts of parameters that are not in their values, by reference: "input.page" for `${input.page}`.
  std::map<std::string, std::string> parts;
};

// A pipeline and its arguments, kept so that templates can be used while the graph runs.
struct Unbound {
  PipelineDefinition pipeline;
  Arguments arguments;
};

// Puts the nodes of templates in the place of the nodes that use them and fills in `${name}`, `${name.stem}` and
// `${name.dir}` in every scalar, after parsing, so that a value cannot add YAML;
// `$${` stands for a plain `${`. A scalar that is nothing but `${list}` becomes that list; a node's parameter that is
// nothing but `${name}` of an optional parameter without value counts as not written. Throws DefinitionError: a
// required parameter without value, an argument or `${name}` that the pipeline does not know, a wrong type, a value
// outside its range.
PipelineDefinition Bind(const PipelineDefinition& pipeline, const Arguments& arguments);
// The same with one more node `name` that uses a template; `arguments` are of the template's parameters.
PipelineDefinition BindWith(const Unbound& unbound, const std::string& template_name, const std::string& name,
                            const Arguments& arguments);

}  // namespace percept::graph
