// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph/node/params.h"
#include "graph/node/value.h"

namespace percept::graph {

// The parameters that `${...}` may name in a pipeline, or in one use of a template, with their values.
class Scope {
 public:
  // `params` and `parent` outlive the scope; `parent`, where names that are not declared here are looked up, may be
  // null.
  explicit Scope(const std::vector<ParamDecl>& params, Scope* parent = nullptr);

  // Gives a declared parameter its value, or one that needs no declaration. Throws DefinitionError: a wrong type or
  // range.
  void Give(const std::string& name, Value value);
  // What `reference` ("input.page") stands for, where it is not in the value of the parameter.
  void GivePart(const std::string& reference, std::string text) { parts_[reference] = std::move(text); }
  const ParamDecl* FindDecl(const std::string& name) const;
  // All that may be named, the parent's too.
  std::vector<std::string> Names() const;

  // Works out every parameter. Throws DefinitionError where a required one has no value: at `used_at`, or at its
  // declaration where that is nowhere.
  void BindAll(const Position& used_at);
  // The value with every reference in it filled in. Throws DefinitionError: an unknown or valueless name.
  Value Fill(const Value& value);
  // Throws DefinitionError where a reference in the value is to a name that there is not.
  void RequireKnown(const Value& value) const;
  // True for a scalar that is nothing but a reference to an optional parameter without value.
  bool IsAbsent(const Value& value);

 private:
  // The bound value of a parameter declared here; nullptr where it is optional and has none.
  const Value* Find(const std::string& name, const Position& used_at);
  bool Knows(const std::string& name) const { return decls_.count(name) || bound_.count(name); }
  const Value& Resolve(const std::string& name, const Position& used_at);
  std::string ReferenceText(const std::string& reference, const Position& used_at);
  // The list that the whole scalar refers to, nullptr where it is anything else.
  const Value* WholeList(const Value& value);

  std::map<std::string, const ParamDecl*> decls_;
  Scope* const parent_;
  std::map<std::string, Value> bound_;
  std::map<std::string, std::string> parts_;
  std::set<std::string> binding_;  // being worked out: a default that needs itself
};

// A value in which nothing is filled in, whatever it holds.
Value EscapeReferences(const Value& value);

}  // namespace percept::graph
