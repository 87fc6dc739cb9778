// SPDX-License-Identifier: Apache-2.0
#include "graph/node/params.h"

#include <charconv>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "graph/node/nearest.h"
#include "graph/node/quantity.h"

namespace percept::graph {
namespace {

// Decimal with an optional sign; false where anything is left over. Throws std::out_of_range where it does not fit.
template <class T>
bool ParseNumber(const std::string& text, T& number) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  if (begin != end && *begin == '+' && end - begin > 1 && begin[1] != '-') ++begin;
  const auto [rest, error] = std::from_chars(begin, end, number);
  if (error == std::errc::result_out_of_range && rest == end) throw std::out_of_range(text);
  return error == std::errc() && rest == end;
}

std::string Plain(double number) {
  std::string text = std::to_string(number);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string Limit(const ParamDecl& decl, double limit) {
  if (decl.type == ParamType::kDuration) return DurationText(Duration::Seconds(limit));
  if (decl.type == ParamType::kBytes) return BytesText(static_cast<int64_t>(limit));
  return Plain(limit);
}

std::string Range(const ParamDecl& decl) {
  if (decl.min && decl.max) return Limit(decl, *decl.min) + " to " + Limit(decl, *decl.max);
  if (decl.min) return Limit(decl, *decl.min) + " or more";
  return Limit(decl, *decl.max) + " or less";
}

std::string Quoted(const std::string& text) {
  constexpr size_t kMaxShown = 80;
  return text.size() > kMaxShown ? "'" + text.substr(0, kMaxShown) + "...'" : "'" + text + "'";
}

[[noreturn]] void ThrowWrong(const ParamDecl& decl, const Value& value, const std::string& found) {
  throw DefinitionError(value.position(), "'" + decl.name + "' must be " + decl.TypeName() + ", found " + found);
}

void CheckRange(const ParamDecl& decl, const Value& value, double number) {
  if ((decl.min && number < *decl.min) || (decl.max && number > *decl.max)) {
    throw DefinitionError(value.position(),
                          "'" + decl.name + "' is " + value.scalar() + ", outside its range: " + Range(decl));
  }
}

const std::string& Text(const ParamDecl& decl, const Value& value) {
  if (!value.is_scalar()) ThrowWrong(decl, value, value.kind_name());
  return value.scalar();
}

std::string AsString(const ParamDecl& decl, const Value& value) { return Text(decl, value); }

std::string AsPath(const ParamDecl& decl, const Value& value) {
  const std::string& path = Text(decl, value);
  if (path.empty()) throw DefinitionError(value.position(), "'" + decl.name + "' is an empty path");
  if (path.find('\0') != std::string::npos) {
    throw DefinitionError(value.position(), "'" + decl.name + "' holds a zero byte");
  }
  return path;
}

std::string AsEnum(const ParamDecl& decl, const Value& value) {
  const std::string& text = Text(decl, value);
  for (const std::string& valid : decl.values) {
    if (text == valid) return text;
  }
  throw DefinitionError(value.position(), "'" + decl.name + "' must be one of its values, found " + Quoted(text) +
                                              NearestNames(text, decl.values));
}

int64_t AsInt(const ParamDecl& decl, const Value& value) {
  int64_t number = 0;
  if (!ParseNumber(Text(decl, value), number)) ThrowWrong(decl, value, Quoted(value.scalar()));
  CheckRange(decl, value, static_cast<double>(number));
  return number;
}

double AsFloat(const ParamDecl& decl, const Value& value) {
  double number = 0;
  if (!ParseNumber(Text(decl, value), number) || !std::isfinite(number)) {
    ThrowWrong(decl, value, Quoted(value.scalar()));
  }
  CheckRange(decl, value, number);
  return number;
}

bool AsBool(const ParamDecl& decl, const Value& value) {
  const std::string& text = Text(decl, value);
  if (text != "true" && text != "false") ThrowWrong(decl, value, Quoted(text));
  return text == "true";
}

Duration AsDuration(const ParamDecl& decl, const Value& value) {
  const std::optional<Duration> duration = ReadDuration(Text(decl, value));
  if (!duration) ThrowWrong(decl, value, Quoted(value.scalar()) + ": write it as 200ms, 2s, 1.5min or 1h");
  CheckRange(decl, value, duration->seconds());
  return *duration;
}

int64_t AsBytes(const ParamDecl& decl, const Value& value) {
  const std::optional<int64_t> bytes = ReadBytes(Text(decl, value));
  if (!bytes || *bytes < 0) ThrowWrong(decl, value, Quoted(value.scalar()) + ": write it as 64MiB, 2GB or 4096");
  CheckRange(decl, value, static_cast<double>(*bytes));
  return *bytes;
}

// What `parse` says; names the parameter where the value does not fit.
template <class T>
T Fitting(const ParamDecl& decl, const Value& value, T (*parse)(const ParamDecl&, const Value&)) {
  try {
    return parse(decl, value);
  } catch (const std::out_of_range&) {
    const bool is_negative = value.scalar().starts_with('-');
    const bool is_limited = is_negative ? decl.min.has_value() : decl.max.has_value();
    const std::string reason = is_limited    ? ", outside its range: " + Range(decl)
                               : is_negative ? ", which is too far below zero"
                                             : ", which is too large";
    throw DefinitionError(value.position(), "'" + decl.name + "' is " + Quoted(value.scalar()) + reason);
  }
}

template <class T>
ParamValue OneOrList(const ParamDecl& decl, const Value& value, T (*parse)(const ParamDecl&, const Value&)) {
  if (!decl.is_list) return Fitting(decl, value, parse);
  std::vector<T> list;
  if (value.is_scalar()) {
    list.push_back(Fitting(decl, value, parse));
  } else {
    if (!value.is_list()) ThrowWrong(decl, value, value.kind_name());
    for (const Value& item : value.items()) list.push_back(Fitting(decl, item, parse));
  }
  return list;
}

const char* BareTypeName(ParamType type) {
  switch (type) {
    case ParamType::kString:
      return "string";
    case ParamType::kInt:
      return "int";
    case ParamType::kFloat:
      return "float";
    case ParamType::kBool:
      return "bool";
    case ParamType::kPath:
      return "path";
    case ParamType::kEnum:
      return "enum";
    case ParamType::kDuration:
      return "duration";
    case ParamType::kBytes:
      return "bytes";
    case ParamType::kAny:
      return "any YAML";
  }
  return "unknown";
}

}  // namespace

ParamDecl ParamDecl::Default(std::string scalar) && {
  default_value = Value::Scalar(std::move(scalar), Position{});
  return std::move(*this);
}

std::string ParamDecl::TypeName() const {
  std::string text = BareTypeName(type);
  if (is_list) text += "[]";
  if (type == ParamType::kEnum) {
    text += " (";
    for (size_t i = 0; i < values.size(); ++i) text += (i ? ", " : "") + values[i];
    text += ")";
  }
  return text;
}

ParamValue ParseParam(const ParamDecl& decl, const Value& value) {
  switch (decl.type) {
    case ParamType::kString:
      return OneOrList(decl, value, AsString);
    case ParamType::kPath:
      return OneOrList(decl, value, AsPath);
    case ParamType::kEnum:
      return OneOrList(decl, value, AsEnum);
    case ParamType::kInt:
      return OneOrList(decl, value, AsInt);
    case ParamType::kFloat:
      return OneOrList(decl, value, AsFloat);
    case ParamType::kBool:
      return OneOrList(decl, value, AsBool);
    case ParamType::kDuration:
      return OneOrList(decl, value, AsDuration);
    case ParamType::kBytes:
      return OneOrList(decl, value, AsBytes);
    case ParamType::kAny:
      break;
  }
  return value;
}

Position ParamValues::PositionOf(const std::string& name) const {
  At(name);
  return positions_.at(name);
}

void ParamValues::Set(const std::string& name, ParamValue value, Position position) {
  values_[name] = std::move(value);
  positions_[name] = std::move(position);
}

const ParamValue& ParamValues::At(const std::string& name) const {
  auto it = values_.find(name);
  if (it == values_.end()) throw ParamError("no parameter '" + name + "' was declared with a default, or given");
  return it->second;
}

void ParamValues::ThrowWrongType(const std::string& name) {
  throw ParamError("parameter '" + name + "' was read as another type than it was declared");
}

}  // namespace percept::graph
