// SPDX-License-Identifier: Apache-2.0
#include "graph/config/pipeline.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "graph/config/pipeline_parts.h"
#include "graph/config/yaml_reader.h"
#include "graph/node/nearest.h"

namespace percept::graph {
namespace {

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
      {"string", ParamType::kString}, {"int", ParamType::kInt},          {"float", ParamType::kFloat},
      {"bool", ParamType::kBool},     {"path", ParamType::kPath},        {"enum", ParamType::kEnum},
      {"bytes", ParamType::kBytes},   {"duration", ParamType::kDuration}};
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

bool HasRange(ParamType type) {
  return type == ParamType::kInt || type == ParamType::kFloat || type == ParamType::kDuration ||
         type == ParamType::kBytes;
}

// An end of a parameter's range, written as its values are.
double RangeEnd(const Value& value, const char* name, ParamType type) {
  if (type == ParamType::kDuration) return Field<Duration>(value, name, type).seconds();
  if (type == ParamType::kBytes) return static_cast<double>(Field<int64_t>(value, name, type));
  return Field<double>(value, name, ParamType::kFloat);
}

void CheckParamDecl(const ParamDecl& decl, const Value::Entry& entry) {
  if (decl.required && decl.default_value) {
    throw DefinitionError(entry.key_position, "parameter '" + decl.name + "' is required and has a default");
  }
  if ((decl.type == ParamType::kEnum) != !decl.values.empty()) {
    throw DefinitionError(entry.key_position,
                          "parameter '" + decl.name + "': an enum, and only an enum, lists its 'values'");
  }
  if ((decl.min || decl.max) && !HasRange(decl.type)) {
    throw DefinitionError(entry.key_position,
                          "parameter '" + decl.name + "': only an int, a float, a duration or bytes has a range");
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
  if (const Value* value = entry.value.Find("min")) decl.min = RangeEnd(*value, "min", decl.type);
  if (const Value* value = entry.value.Find("max")) decl.max = RangeEnd(*value, "max", decl.type);
  if (const Value* value = entry.value.Find("values")) {
    if (value->items().empty()) {
      throw DefinitionError(value->position(), "parameter '" + entry.key + "': its 'values' are an empty list");
    }
    for (const Value& item : value->items()) {
      if (std::find(decl.values.begin(), decl.values.end(), item.scalar()) != decl.values.end()) {
        throw DefinitionError(item.position(),
                              "parameter '" + entry.key + "': its 'values' name '" + item.scalar() + "' twice");
      }
      decl.values.push_back(item.scalar());
    }
  }
  if (decl.min && decl.max && *decl.min > *decl.max) {
    const Value& min = *entry.value.Find("min");
    throw DefinitionError(min.position(), "parameter '" + decl.name + "': its min " + min.scalar() +
                                              " is greater than its max " + entry.value.Find("max")->scalar());
  }
  CheckParamDecl(decl, entry);
  return decl;
}

// "node.port", or { from: node.port, ... }.
InputDefinition ParseInput(const std::string& port, const Value& value) {
  if (value.is_scalar()) return {port, value.scalar(), value.position(), {}};
  const std::string where = port.empty() ? "'in'" : "input '" + port + "'";
  if (!value.is_map()) {
    throw DefinitionError(value.position(),
                          where + " must be node.port or { from: node.port, ... }, found " + value.kind_name());
  }
  RefuseUnknownKeys(value, where, {"from", "policy", "packets", "bytes", "time"});
  const Value* from = value.Find("from");
  if (!from) throw DefinitionError(value.position(), where + " has no 'from'");
  std::vector<Value::Entry> limits = value.entries();
  std::erase_if(limits, [](const Value::Entry& entry) { return entry.key == "from"; });
  return {port, from->scalar(), from->position(), Value::Map(std::move(limits), value.position())};
}

std::vector<InputDefinition> ParseInputs(const Value& in) {
  const bool is_single = in.is_scalar() || (in.is_map() && in.Find("from"));
  if (is_single) return {ParseInput("", in)};
  if (!in.is_map()) {
    throw DefinitionError(in.position(),
                          std::string("'in' must be node.port or a map of port: node.port, found ") + in.kind_name());
  }
  std::vector<InputDefinition> inputs;
  for (const Value::Entry& entry : in.entries()) {
    RequireName(entry, "port");
    inputs.push_back(ParseInput(entry.key, entry.value));
  }
  return inputs;
}

NodeDefinition ParseNode(const Value::Entry& entry) {
  RequireName(entry, "node");
  NodeDefinition node;
  node.name = entry.key;
  node.position = entry.key_position;
  const Value* type = entry.value.Find("type");
  const Value* use = entry.value.Find("use");
  if (!type && !use) throw DefinitionError(entry.key_position, "node '" + entry.key + "' has no 'type'");
  if (type && use) throw DefinitionError(entry.key_position, "node '" + entry.key + "' has a 'type' and a 'use'");
  (type ? node.type : node.use) = Value::Scalar((type ? type : use)->scalar(), (type ? type : use)->position());
  for (const Value::Entry& key : entry.value.entries()) {
    if (key.key == "in" && use) {
      throw DefinitionError(key.key_position, "node '" + entry.key + "' uses a template: it has no inputs of its own");
    }
    if (key.key == "in") {
      node.inputs = ParseInputs(key.value);
    } else if (key.key != "type" && key.key != "use") {
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

std::string KindOf(const std::filesystem::file_status& status) {
  switch (status.type()) {
    case std::filesystem::file_type::fifo:
      return "pipe";
    case std::filesystem::file_type::socket:
      return "socket";
    default:
      return "device";
  }
}

}  // namespace

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

std::vector<ParamDecl> ParseParamDecls(const Value& params) {
  std::vector<ParamDecl> decls;
  for (const Value::Entry& entry : params.entries()) decls.push_back(ParseParamDecl(entry));
  return decls;
}

std::vector<NodeDefinition> ParseNodes(const Value& nodes) {
  std::vector<NodeDefinition> parsed;
  for (const Value::Entry& entry : nodes.entries()) parsed.push_back(ParseNode(entry));
  if (parsed.empty()) throw DefinitionError(nodes.position(), "'nodes' is empty");
  return parsed;
}

PipelineDefinition ParsePipeline(const std::string& text, const std::string& file_name) {
  const Value root = ReadYaml(text, file_name);
  CheckVersion(root);
  RefuseUnknownKeys(root, "a pipeline file", {"percept", "description", "params", "limits", "templates", "nodes"});
  PipelineDefinition pipeline;
  pipeline.name = file_name;
  pipeline.position = root.position();
  if (const Value* description = root.Find("description")) pipeline.description = description->scalar();
  if (const Value* params = root.Find("params")) pipeline.params = ParseParamDecls(*params);
  if (const Value* limits = root.Find("limits")) pipeline.limits = *limits;
  if (const Value* templates = root.Find("templates")) {
    for (const Value::Entry& entry : templates->entries()) pipeline.templates.push_back(ParseTemplate(entry));
  }
  const Value* nodes = root.Find("nodes");
  if (!nodes) throw DefinitionError(root.position(), "no 'nodes'");
  pipeline.nodes = ParseNodes(*nodes);
  return pipeline;
}

std::string ReadPipelineText(const std::string& path) {
  const Position position{std::make_shared<const std::string>(path), 0, 0};
  std::error_code none;  // what cannot be looked at cannot be opened either
  const std::filesystem::file_status status = std::filesystem::status(path, none);
  if (std::filesystem::is_directory(status)) throw DefinitionError(position, "is a folder, not a pipeline file");
  // A device may never end, and to open a pipe is to wait for who writes it.
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw DefinitionError(position, "is a " + KindOf(status) + ", not a pipeline file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw DefinitionError(position, std::string("cannot be opened: ") + std::strerror(errno));
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

PipelineDefinition LoadPipeline(const std::string& path) { return ParsePipeline(ReadPipelineText(path), path); }

}  // namespace percept::graph
