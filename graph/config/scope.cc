// SPDX-License-Identifier: Apache-2.0
#include "graph/config/scope.h"

#include <filesystem>
#include <utility>

#include "graph/node/nearest.h"

namespace percept::graph {
namespace {

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

}  // namespace

Scope::Scope(const std::vector<ParamDecl>& params, Scope* parent) : parent_(parent) {
  for (const ParamDecl& decl : params) decls_[decl.name] = &decl;
}

void Scope::Give(const std::string& name, Value value) {
  if (const ParamDecl* decl = FindDecl(name)) {
    if (decl->is_list && value.is_scalar()) value = Value::List({value}, value.position());
    ParseParam(*decl, value);
  }
  bound_[name] = std::move(value);
}

const ParamDecl* Scope::FindDecl(const std::string& name) const {
  const auto decl = decls_.find(name);
  return decl == decls_.end() ? nullptr : decl->second;
}

std::vector<std::string> Scope::Names() const {
  std::set<std::string> names;
  for (const auto& [name, decl] : decls_) names.insert(name);
  for (const auto& [name, value] : bound_) names.insert(name);
  if (parent_) {
    for (std::string& name : parent_->Names()) names.insert(std::move(name));
  }
  return {names.begin(), names.end()};
}

void Scope::BindAll(const Position& used_at) {
  for (const auto& [name, decl] : decls_) Find(name, used_at.file ? used_at : decl->position);
}

const Value* Scope::Find(const std::string& name, const Position& used_at) {
  if (auto it = bound_.find(name); it != bound_.end()) return &it->second;
  const ParamDecl& decl = *decls_.at(name);
  if (decl.default_value) {
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

const Value& Scope::Resolve(const std::string& name, const Position& used_at) {
  if (!Knows(name) && parent_) return parent_->Resolve(name, used_at);
  if (!Knows(name)) {
    throw DefinitionError(used_at, "'${" + name + "}': no such parameter" + NearestNames(name, Names()));
  }
  const Value* value = Find(name, used_at);
  if (!value) throw DefinitionError(used_at, "'${" + name + "}': the parameter was not given and has no default");
  return *value;
}

std::string Scope::ReferenceText(const std::string& reference, const Position& used_at) {
  const size_t dot = reference.find('.');
  const std::string name = reference.substr(0, dot);
  if (!Knows(name) && parent_) return parent_->ReferenceText(reference, used_at);
  const Value& value = Resolve(name, used_at);
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
  if (const auto given = parts_.find(reference); given != parts_.end()) return given->second;
  const std::filesystem::path path = value.is_list() ? value.items().front().scalar() : value.scalar();
  const std::string part = reference.substr(dot + 1);
  if (part == "stem") return path.stem().string();
  if (part == "dir") return path.has_parent_path() ? path.parent_path().string() : ".";
  if (part == "page") return "1";
  throw DefinitionError(used_at, "'${" + reference + "}': a path has no part '" + part + "'" +
                                     NearestNames(part, {"dir", "page", "stem"}));
}

const Value* Scope::WholeList(const Value& value) {
  const std::vector<Piece> pieces = Split(value.scalar(), value.position());
  if (pieces.size() != 1 || !pieces[0].is_reference || pieces[0].text.find('.') != std::string::npos) return nullptr;
  const Value& target = Resolve(pieces[0].text, value.position());
  return target.is_list() ? &target : nullptr;
}

void Scope::RequireKnown(const Value& value) const {
  if (value.is_list()) {
    for (const Value& item : value.items()) RequireKnown(item);
  }
  if (value.is_map()) {
    for (const Value::Entry& entry : value.entries()) RequireKnown(entry.value);
  }
  if (!value.is_scalar()) return;
  for (const Piece& piece : Split(value.scalar(), value.position())) {
    if (!piece.is_reference) continue;
    const std::string name = piece.text.substr(0, piece.text.find('.'));
    const Scope* scope = this;
    while (scope && !scope->Knows(name)) scope = scope->parent_;
    if (scope) continue;
    throw DefinitionError(value.position(), "'${" + name + "}': no such parameter" + NearestNames(name, Names()));
  }
}

bool Scope::IsAbsent(const Value& value) {
  if (!value.is_scalar()) return false;
  const std::vector<Piece> pieces = Split(value.scalar(), value.position());
  if (pieces.size() != 1 || !pieces[0].is_reference) return false;
  if (!Knows(pieces[0].text)) return parent_ && parent_->IsAbsent(value);
  return Find(pieces[0].text, value.position()) == nullptr;
}

Value Scope::Fill(const Value& value) {
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

Value EscapeReferences(const Value& value) {
  if (value.is_list()) {
    std::vector<Value> items;
    for (const Value& item : value.items()) items.push_back(EscapeReferences(item));
    return Value::List(std::move(items), value.position());
  }
  if (!value.is_scalar()) return value;
  std::string text;
  for (size_t i = 0; i < value.scalar().size(); ++i) {
    if (value.scalar().compare(i, 2, "${") == 0) text += '$';
    text += value.scalar()[i];
  }
  return Value::Scalar(std::move(text), value.position());
}

}  // namespace percept::graph
