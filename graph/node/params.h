// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "graph/node/value.h"
#include "graph/packet/time.h"

namespace percept::graph {

// kDuration: "200ms", "2s", "1.5min"; kBytes: "64MiB", "2GB", or a plain number. kAny: any YAML, read by the node
// itself from its Value (a prompt, a condition).
enum class ParamType { kString, kInt, kFloat, kBool, kPath, kEnum, kDuration, kBytes, kAny };

// One parameter of a node type or of a pipeline, declared once: parsing, messages, docs and `percept nodes` read this.
struct ParamDecl {
  std::string name;
  ParamType type = ParamType::kString;
  std::string doc;
  bool is_list = false;  // a list of `type`; a single scalar is taken as a list of one
  bool required = false;
  std::optional<Value> default_value;  // absent and not required: ParamValues::Has says whether it was given
  std::vector<std::string> values;     // kEnum: what it may be
  std::optional<double> min, max;      // kInt, kFloat, kDuration (seconds), kBytes: inclusive
  Position position;                   // where a pipeline declares it; nowhere for a node type's

  // For declarations in code: ParamDecl{.name = "budget", .type = ParamType::kInt, .doc = "...", .min =
  // 1}.Default("70")
  ParamDecl Default(std::string scalar) &&;

  // "int", "path[]", "enum (a, b)".
  std::string TypeName() const;
};

// Asking for a parameter that the contract does not declare, or as another type: a bug of the node.
class ParamError : public std::logic_error {
  using std::logic_error::logic_error;
};

using ParamValue =
    std::variant<std::string, int64_t, double, bool, Duration, std::vector<std::string>, std::vector<int64_t>,
                 std::vector<double>, std::vector<bool>, std::vector<Duration>, Value>;

// Turns what was written into the declared type. Throws DefinitionError at the value's position: wrong type, out of
// range, not among the enum's values (nearest valid ones named).
ParamValue ParseParam(const ParamDecl& decl, const Value& value);

// The parameters of one node after validation: defaults filled in, types and ranges checked.
class ParamValues {
 public:
  bool Has(const std::string& name) const { return values_.count(name) != 0; }
  // T is int64_t (int, bytes), double, bool, std::string (string, path, enum), Duration, a std::vector of those, or
  // Value (any YAML).
  // Throws ParamError.
  template <class T>
  const T& Get(const std::string& name) const {
    const ParamValue& value = At(name);
    const T* typed = std::get_if<T>(&value);
    if (!typed) ThrowWrongType(name);
    return *typed;
  }
  // Where the parameter was written (its default's declaration has no position).
  Position PositionOf(const std::string& name) const;
  void Set(const std::string& name, ParamValue value, Position position);

 private:
  const ParamValue& At(const std::string& name) const;
  [[noreturn]] static void ThrowWrongType(const std::string& name);
  std::map<std::string, ParamValue> values_;
  std::map<std::string, Position> positions_;
};

}  // namespace percept::graph
