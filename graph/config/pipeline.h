// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/node/params.h"
#include "graph/node/value.h"

namespace percept::graph {

// One connection as written: the input port ("" where `in:` is a plain scalar) and "node.port" or "node".
struct InputDefinition {
  std::string port;
  std::string from;
  Position position;
};

struct NodeDefinition {
  std::string name;
  Position position;
  Value type;
  std::vector<InputDefinition> inputs;
  std::vector<Value::Entry> params;  // the other keys, `in_flight` included
};

// A pipeline file as it was written: its structure is sound, its names are not yet looked up.
struct PipelineDefinition {
  std::string name;  // the file's name, or what the program calls it
  std::string description;
  Position position;
  std::vector<ParamDecl> params;
  std::vector<NodeDefinition> nodes;
};

// Reads the text of a pipeline file. Throws DefinitionError: not YAML, an unknown or duplicate key, a wrong shape.
PipelineDefinition ParsePipeline(const std::string& text, const std::string& file_name);
// The same from a file.
PipelineDefinition LoadPipeline(const std::string& path);

// What a run gives to a pipeline's parameters (`--set name=value`); several values for a list.
struct Arguments {
  std::map<std::string, std::vector<std::string>> values;
  // Parameters that every pipeline has without declaring them ("model"), with their values; `values` goes before.
  std::map<std::string, std::string> implied;
};

// Fills in `${name}`, `${name.stem}` and `${name.dir}` in every scalar, after parsing, so that a value cannot add YAML;
// `$${` stands for a plain `${`. A scalar that is nothing but `${list}` becomes that list; a node's parameter that is
// nothing but `${name}` of an optional parameter without value counts as not written. Throws DefinitionError: a
// required parameter without value, an argument or `${name}` that the pipeline does not know, a wrong type, a value
// outside its range.
PipelineDefinition Bind(const PipelineDefinition& pipeline, const Arguments& arguments);

}  // namespace percept::graph
