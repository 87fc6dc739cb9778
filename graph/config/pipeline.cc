// SPDX-License-Identifier: Apache-2.0
#include "graph/config/pipeline.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "graph/config/yaml_reader.h"
#include "graph/node/nearest.h"

namespace percept::graph {
namespace {

void RefuseUnknownKeys(const Value& map, const std::string& where, const std::vector<std::string>& valid) {
  for (const Value::Entry& entry : map.entries()) {
    bool known = false;
    for (const std::string& name : valid) known = known || entry.key == name;
    if (!known) {
      throw DefinitionError(entry.key_position,
                            "unknown key '" + entry.key + "' in " + where + NearestNames(entry.key, valid));
    }
  }
}

void RequireName(const Value::Entry& entry, const char* what) {
  bool good = !entry.key.empty();
  for (char c : entry.key) {
    good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-');
  }
  if (!good) {
    throw DefinitionError(entry.key_position, std::string("'") + entry.key + "' is no name for a " + what +
                                                  ": letters, digits, '_' and '-' only");
  }
}

// Reads one key of a parameter's declaration as if it were a parameter itself.
template <class T>
T Field(const Value& value, const char* name, ParamType type) {
  ParamDecl decl;
  decl.name = name;
  decl.type = type;
  return std::get<T>(ParseParam(decl, value));
}

ParamType ParseType(ParamDecl& decl, const Value& value) {
  static const std::vector<std::pair<std::string, ParamType>> types = {
      {"string", ParamType::kString}, {"int", ParamType::kInt},   {"float", ParamType::kFloat},
      {"bool", ParamType::kBool},     {"path", ParamType::kPath}, {"enum", ParamType::kEnum}};
  std::string name = value.scalar();
  if (name.size() > 2 && name.compare(name.size() - 2, 2, "[]") == 0) {
    decl.is_list = true;
    name.resize(name.size() - 2);
  }
  std::vector<std::string> valid;
  for (const auto& [type_name, type] : types) {
    if (type_name == name) return type;
    valid.push_back(type_name);
  }
  throw DefinitionError(value.position(), "unknown parameter type '" + name + "'" + NearestNames(name, valid));
}

void CheckParamDecl(const ParamDecl& decl, const Value::Entry& entry) {
  if (decl.required && decl.default_value) {
    throw DefinitionError(entry.key_position, "parameter '" + decl.name + "' is required and has a default");
  }
  if ((decl.type == ParamType::kEnum) != !decl.values.empty()) {
    throw DefinitionError(entry.key_position,
                          "parameter '" + decl.name + "': an enum, and only an enum, lists its 'values'");
  }
  if ((decl.min || decl.max) && decl.type != ParamType::kInt && decl.type != ParamType::kFloat) {
    throw DefinitionError(entry.key_position, "parameter '" + decl.name + "': only an int or a float has a range");
  }
}

ParamDecl ParseParamDecl(const Value::Entry& entry) {
  RequireName(entry, "parameter");
  RefuseUnknownKeys(entry.value, "parameter '" + entry.key + "'",
                    {"type", "default", "required", "doc", "values", "min", "max"});
  ParamDecl decl;
  decl.name = entry.key;
  decl.position = entry.key_position;
  const Value* type = entry.value.Find("type");
  if (!type) throw DefinitionError(entry.key_position, "parameter '" + entry.key + "' has no 'type'");
  decl.type = ParseType(decl, *type);
  if (const Value* value = entry.value.Find("default")) decl.default_value = *value;
  if (const Value* value = entry.value.Find("required")) {
    decl.required = Field<bool>(*value, "required", ParamType::kBool);
  }
  if (const Value* value = entry.value.Find("doc")) decl.doc = value->scalar();
  if (const Value* value = entry.value.Find("min")) decl.min = Field<double>(*value, "min", ParamType::kFloat);
  if (const Value* value = entry.value.Find("max")) decl.max = Field<double>(*value, "max", ParamType::kFloat);
  if (const Value* value = entry.value.Find("values")) {
    if (value->items().empty()) {
      throw DefinitionError(value->position(), "parameter '" + entry.key + "': its 'values' are an empty list");
    }
    for (const Value& item : value->items()) decl.values.push_back(item.scalar());
  }
  if (decl.min && decl.max && *decl.min > *decl.max) {
    const Value& min = *entry.value.Find("min");
    throw DefinitionError(min.position(), "parameter '" + decl.name + "': its min " + min.scalar() +
                                              " is greater than its max " + entry.value.Find("max")->scalar());
  }
  CheckParamDecl(decl, entry);
  return decl;
}

std::vector<InputDefinition> ParseInputs(const Value& in) {
  std::vector<InputDefinition> inputs;
  if (in.is_scalar()) {
    inputs.push_back({"", in.scalar(), in.position()});
    return inputs;
  }
  if (!in.is_map()) {
    throw DefinitionError(in.position(),
                          std::string("'in' must be node.port or a map of port: node.port, found ") + in.kind_name());
  }
  for (const Value::Entry& entry : in.entries()) {
    RequireName(entry, "port");
    inputs.push_back({entry.key, entry.value.scalar(), entry.value.position()});
  }
  return inputs;
}

NodeDefinition ParseNode(const Value::Entry& entry) {
  RequireName(entry, "node");
  NodeDefinition node;
  node.name = entry.key;
  node.position = entry.key_position;
  const Value* type = entry.value.Find("type");
  if (!type) throw DefinitionError(entry.key_position, "node '" + entry.key + "' has no 'type'");
  type->scalar();
  node.type = *type;
  for (const Value::Entry& key : entry.value.entries()) {
    if (key.key == "in") {
      node.inputs = ParseInputs(key.value);
    } else if (key.key != "type") {
      node.params.push_back(key);
    }
  }
  return node;
}

void CheckVersion(const Value& root) {
  const Value* version = root.Find("percept");
  if (!version) throw DefinitionError(root.position(), "no 'percept: 1': not a pipeline file");
  if (version->scalar() != "1") {
    throw DefinitionError(version->position(),
                          "version '" + version->scalar() + "' of pipeline files is not known; known: 1");
  }
}

}  // namespace

PipelineDefinition ParsePipeline(const std::string& text, const std::string& file_name) {
  const Value root = ReadYaml(text, file_name);
  CheckVersion(root);
  RefuseUnknownKeys(root, "a pipeline file", {"percept", "description", "params", "nodes"});
  PipelineDefinition pipeline;
  pipeline.name = file_name;
  pipeline.position = root.position();
  if (const Value* description = root.Find("description")) pipeline.description = description->scalar();
  if (const Value* params = root.Find("params")) {
    for (const Value::Entry& entry : params->entries()) pipeline.params.push_back(ParseParamDecl(entry));
  }
  const Value* nodes = root.Find("nodes");
  if (!nodes) throw DefinitionError(root.position(), "no 'nodes'");
  for (const Value::Entry& entry : nodes->entries()) pipeline.nodes.push_back(ParseNode(entry));
  if (pipeline.nodes.empty()) throw DefinitionError(nodes->position(), "'nodes' is empty");
  return pipeline;
}

PipelineDefinition LoadPipeline(const std::string& path) {
  const Position position{std::make_shared<const std::string>(path), 0, 0};
  if (std::filesystem::is_directory(path)) throw DefinitionError(position, "is a folder, not a pipeline file");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DefinitionError(position, std::string("cannot be opened: ") + std::strerror(errno));
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return ParsePipeline(text, path);
}

}  // namespace percept::graph
