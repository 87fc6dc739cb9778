// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "graph/node/position.h"

namespace percept::graph {

// A piece of a pipeline file as it was written: nothing, a scalar, a list or a map whose keys keep their order; each
// with its position. A scalar is text: the contract of whoever reads it gives it a type.
class Value {
 public:
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Entry;

  Value() = default;
  static Value Null(Position position);
  static Value Scalar(std::string text, Position position);
  static Value List(std::vector<Value> items, Position position);
  static Value Map(std::vector<Entry> entries, Position position);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_scalar() const { return kind_ == Kind::kScalar; }
  bool is_list() const { return kind_ == Kind::kList; }
  bool is_map() const { return kind_ == Kind::kMap; }
  const Position& position() const { return position_; }

  // Each throws DefinitionError at this position where the value is of another kind.
  const std::string& scalar() const;
  const std::vector<Value>& items() const;
  const std::vector<Entry>& entries() const;
  // The value under `key` of a map, nullptr where the key is absent.
  const Value* Find(const std::string& key) const;
  // "a scalar", "a list", ...: for messages.
  const char* kind_name() const;

 private:
  Kind kind_ = Kind::kNull;
  std::string scalar_;
  std::vector<Value> items_;
  std::vector<Entry> entries_;
  Position position_;
};

struct Value::Entry {
  std::string key;
  Position key_position;
  Value value;
};

}  // namespace percept::graph
