// SPDX-License-Identifier: Apache-2.0
#include "graph/node/value.h"

namespace percept::graph {
namespace {

const char* KindName(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::kNull:
      return "nothing";
    case Value::Kind::kScalar:
      return "a scalar";
    case Value::Kind::kList:
      return "a list";
    case Value::Kind::kMap:
      return "a map";
  }
  return "unknown";
}

void Require(const Value& value, Value::Kind wanted) {
  if (value.kind() == wanted) return;
  throw DefinitionError(value.position(), std::string("expected ") + KindName(wanted) + ", found " + value.kind_name());
}

}  // namespace

Value Value::Null(Position position) {
  Value value;
  value.position_ = std::move(position);
  return value;
}

Value Value::Scalar(std::string text, Position position) {
  Value value = Null(std::move(position));
  value.kind_ = Kind::kScalar;
  value.scalar_ = std::move(text);
  return value;
}

Value Value::List(std::vector<Value> items, Position position) {
  Value value = Null(std::move(position));
  value.kind_ = Kind::kList;
  value.items_ = std::move(items);
  return value;
}

Value Value::Map(std::vector<Entry> entries, Position position) {
  Value value = Null(std::move(position));
  value.kind_ = Kind::kMap;
  value.entries_ = std::move(entries);
  return value;
}

const std::string& Value::scalar() const {
  Require(*this, Kind::kScalar);
  return scalar_;
}

const std::vector<Value>& Value::items() const {
  Require(*this, Kind::kList);
  return items_;
}

const std::vector<Value::Entry>& Value::entries() const {
  Require(*this, Kind::kMap);
  return entries_;
}

const Value* Value::Find(const std::string& key) const {
  for (const Entry& entry : entries()) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

const char* Value::kind_name() const { return KindName(kind_); }

}  // namespace percept::graph
