// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "graph/config/pipeline.h"
#include "graph/node/nearest.h"

namespace percept::graph {
namespace {

Position ArgumentPosition(const std::string& name) {
  return Position{std::make_shared<const std::string>("--set " + name), 0, 0};
}

// A piece of a scalar: plain text, or the inside of `${...}`.
struct Piece {
  bool is_reference;
  std::string text;
};

std::vector<Piece> Split(const std::string& text, const Position& position) {
  std::vector<Piece> pieces;
  std::string plain;
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 3, "$${") == 0) {
      plain += "${";
      i += 3;
    } else if (text.compare(i, 2, "${") == 0) {
      const size_t end = text.find('}', i);
      if (end == std::string::npos) throw DefinitionError(position, "'${' without its '}'");
      if (!plain.empty()) pieces.push_back({false, std::exchange(plain, "")});
      pieces.push_back({true, text.substr(i + 2, end - i - 2)});
      i = end + 1;
    } else {
      plain += text[i++];
    }
  }
  if (!plain.empty()) pieces.push_back({false, std::move(plain)});
  return pieces;
}

class Binder {
 public:
  Binder(const PipelineDefinition& pipeline, const Arguments& arguments);

  void BindAll() {
    for (const auto& [name, decl] : decls_) Find(name, decl->position);
  }
  // The value with every reference in it filled in.
  Value Fill(const Value& value);
  // True for a scalar that is nothing but a reference to an optional parameter without value.
  bool IsAbsent(const Value& value);

 private:
  // The bound value of a parameter; nullptr where it is optional and has none.
  const Value* Find(const std::string& name, const Position& used_at);
  void BindFromArguments(const ParamDecl& decl, const std::vector<std::string>& texts);
  const Value& Resolve(const std::string& name, const Position& used_at);
  std::string ReferenceText(const std::string& reference, const Position& used_at);
  // The list that the whole scalar refers to, nullptr where it is anything else.
  const Value* WholeList(const Value& value);
  std::vector<std::string> Names() const;

  const PipelineDefinition& pipeline_;
  const Arguments& arguments_;
  std::map<std::string, const ParamDecl*> decls_;
  std::map<std::string, Value> bound_;
  std::set<std::string> binding_;  // being worked out: a default that needs itself
};

Binder::Binder(const PipelineDefinition& pipeline, const Arguments& arguments)
    : pipeline_(pipeline), arguments_(arguments) {
  for (const ParamDecl& decl : pipeline.params) decls_[decl.name] = &decl;
  for (const auto& [name, text] : arguments.implied) {
    if (const auto decl = decls_.find(name); decl != decls_.end()) {
      throw DefinitionError(decl->second->position,
                            "`" + name + "` is a parameter every pipeline has; it is not declared");
    }
    bound_[name] = Value::Scalar(text, ArgumentPosition(name));
  }
  for (const auto& [name, texts] : arguments.values) {
    if (decls_.count(name)) continue;
    if (!bound_.count(name)) {
      throw DefinitionError(ArgumentPosition(name), "the pipeline " + pipeline.name + " has no parameter '" + name +
                                                        "'" + NearestNames(name, Names()));
    }
    if (texts.size() != 1) throw DefinitionError(ArgumentPosition(name), "'" + name + "' takes one value");
    bound_[name] = Value::Scalar(texts.front(), ArgumentPosition(name));
  }
}

std::vector<std::string> Binder::Names() const {
  std::set<std::string> names;
  for (const auto& [name, decl] : decls_) names.insert(name);
  for (const auto& [name, text] : arguments_.implied) names.insert(name);
  return {names.begin(), names.end()};
}

void Binder::BindFromArguments(const ParamDecl& decl, const std::vector<std::string>& texts) {
  const Position position = ArgumentPosition(decl.name);
  std::vector<Value> items;
  for (const std::string& text : texts) items.push_back(Value::Scalar(text, position));
  if (!decl.is_list && items.size() != 1) {
    throw DefinitionError(position, "'" + decl.name + "' takes one value, found " + std::to_string(items.size()));
  }
  const Value value = decl.is_list ? Value::List(std::move(items), position) : items.front();
  ParseParam(decl, value);
  bound_[decl.name] = value;
}

const Value* Binder::Find(const std::string& name, const Position& used_at) {
  if (auto it = bound_.find(name); it != bound_.end()) return &it->second;
  const ParamDecl& decl = *decls_.at(name);
  if (auto given = arguments_.values.find(name); given != arguments_.values.end()) {
    BindFromArguments(decl, given->second);
  } else if (decl.default_value) {
    if (!binding_.insert(name).second) {
      throw DefinitionError(decl.default_value->position(),
                            "the default of '" + name + "' needs '" + name + "' itself");
    }
    Value value = Fill(*decl.default_value);
    if (decl.is_list && value.is_scalar()) value = Value::List({value}, value.position());
    ParseParam(decl, value);
    bound_[name] = std::move(value);
  } else if (decl.required) {
    throw DefinitionError(used_at, "parameter '" + name + "' (" + decl.TypeName() + ") is required and was not given");
  } else {
    return nullptr;
  }
  return &bound_.at(name);
}

const Value& Binder::Resolve(const std::string& name, const Position& used_at) {
  if (!decls_.count(name) && !bound_.count(name)) {
    throw DefinitionError(used_at, "'${" + name + "}': no such parameter" + NearestNames(name, Names()));
  }
  const Value* value = Find(name, used_at);
  if (!value) throw DefinitionError(used_at, "'${" + name + "}': the parameter was not given and has no default");
  return *value;
}

std::string Binder::ReferenceText(const std::string& reference, const Position& used_at) {
  const size_t dot = reference.find('.');
  const Value& value = Resolve(reference.substr(0, dot), used_at);
  if (dot == std::string::npos) {
    if (!value.is_scalar()) {
      throw DefinitionError(used_at, "'${" + reference + "}' is " + value.kind_name() + ": it must stand alone");
    }
    return value.scalar();
  }
  if (value.is_list() && value.items().size() != 1) {
    throw DefinitionError(used_at,
                          "'${" + reference + "}' needs one path, found " + std::to_string(value.items().size()));
  }
  const std::filesystem::path path = value.is_list() ? value.items().front().scalar() : value.scalar();
  const std::string part = reference.substr(dot + 1);
  if (part == "stem") return path.stem().string();
  if (part == "dir") return path.has_parent_path() ? path.parent_path().string() : ".";
  throw DefinitionError(
      used_at, "'${" + reference + "}': a path has no part '" + part + "'" + NearestNames(part, {"dir", "stem"}));
}

const Value* Binder::WholeList(const Value& value) {
  const std::vector<Piece> pieces = Split(value.scalar(), value.position());
  if (pieces.size() != 1 || !pieces[0].is_reference || pieces[0].text.find('.') != std::string::npos) return nullptr;
  const Value& target = Resolve(pieces[0].text, value.position());
  return target.is_list() ? &target : nullptr;
}

bool Binder::IsAbsent(const Value& value) {
  if (!value.is_scalar()) return false;
  const std::vector<Piece> pieces = Split(value.scalar(), value.position());
  if (pieces.size() != 1 || !pieces[0].is_reference || !decls_.count(pieces[0].text)) return false;
  return Find(pieces[0].text, value.position()) == nullptr;
}

Value Binder::Fill(const Value& value) {
  if (value.is_scalar()) {
    if (const Value* list = WholeList(value)) return *list;
    std::string text;
    for (const Piece& piece : Split(value.scalar(), value.position())) {
      text += piece.is_reference ? ReferenceText(piece.text, value.position()) : piece.text;
    }
    return Value::Scalar(std::move(text), value.position());
  }
  if (value.is_list()) {
    std::vector<Value> items;
    for (const Value& item : value.items()) {
      const Value* list = item.is_scalar() ? WholeList(item) : nullptr;
      if (list) {
        items.insert(items.end(), list->items().begin(), list->items().end());
      } else {
        items.push_back(Fill(item));
      }
    }
    return Value::List(std::move(items), value.position());
  }
  if (!value.is_map()) return value;
  std::vector<Value::Entry> entries;
  for (const Value::Entry& entry : value.entries()) {
    entries.push_back({entry.key, entry.key_position, Fill(entry.value)});
  }
  return Value::Map(std::move(entries), value.position());
}

}  // namespace

PipelineDefinition Bind(const PipelineDefinition& pipeline, const Arguments& arguments) {
  Binder binder(pipeline, arguments);
  binder.BindAll();
  PipelineDefinition bound = pipeline;
  for (NodeDefinition& node : bound.nodes) {
    node.type = binder.Fill(node.type);
    for (InputDefinition& input : node.inputs) {
      input.from = binder.Fill(Value::Scalar(input.from, input.position)).scalar();
    }
    std::erase_if(node.params, [&](const Value::Entry& entry) { return binder.IsAbsent(entry.value); });
    for (Value::Entry& entry : node.params) entry.value = binder.Fill(entry.value);
  }
  return bound;
}

}  // namespace percept::graph
