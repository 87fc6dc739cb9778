// SPDX-License-Identifier: Apache-2.0
#include "graph/node/condition.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "graph/node/nearest.h"
#include "graph/node/params.h"

namespace percept::graph {
namespace {

std::optional<double> ReadNumber(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

std::string Text(const FieldValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const double* number = std::get_if<double>(&value)) {
    char text[32];
    const auto [end, error] = std::to_chars(text, text + sizeof(text), *number);
    return std::string(text, end);
  }
  return "'" + std::get<std::string>(value) + "'";
}

constexpr std::string_view kTimestamp = "timestamp_s", kDuration = "duration_s", kEpoch = "epoch",
                           kIsError = "is_error";

bool IsNumberOfEveryPacket(std::string_view name) { return name == kTimestamp || name == kDuration || name == kEpoch; }

std::optional<FieldValue> PacketField(const Packet& packet, const std::string& name) {
  if (name == kTimestamp) return packet.timestamp().seconds();
  if (name == kDuration) return packet.duration().seconds();
  if (name == kEpoch) return static_cast<double>(packet.origin().epoch);
  if (name == kIsError) return packet.is_error();
  return packet.Field(name);
}

}  // namespace

const std::vector<std::pair<std::string, Condition::Comparison>>& Condition::Comparisons() {
  static const std::vector<std::pair<std::string, Comparison>> comparisons = {{"is", Comparison::kIs},
                                                                              {"is_not", Comparison::kIsNot},
                                                                              {"below", Comparison::kBelow},
                                                                              {"at_most", Comparison::kAtMost},
                                                                              {"above", Comparison::kAbove},
                                                                              {"at_least", Comparison::kAtLeast},
                                                                              {"contains", Comparison::kContains},
                                                                              {"changed", Comparison::kChanged}};
  return comparisons;
}

Condition Condition::Parse(const Value& value) {
  if (!value.is_map()) {
    throw DefinitionError(value.position(), std::string("a condition is a map, as { field: NAME, is: VALUE }, found ") +
                                                value.kind_name());
  }
  std::vector<std::string> valid = {"field", "all", "any", "not", "for"};
  for (const auto& [word, comparison] : Comparisons()) valid.push_back(word);
  RefuseUnknownKeys(value, "a condition", valid);
  const Value::Entry* form = nullptr;
  for (const Value::Entry& entry : value.entries()) {
    if (entry.key != "field" && entry.key != "all" && entry.key != "any" && entry.key != "not") continue;
    if (form) {
      throw DefinitionError(entry.key_position, "a condition has one of 'field', 'all', 'any' and 'not', found '" +
                                                    form->key + "' and '" + entry.key + "'");
    }
    form = &entry;
  }
  if (!form) throw DefinitionError(value.position(), "a condition has one of 'field', 'all', 'any' and 'not'");
  Condition condition;
  if (form->key == "field") {
    condition.ParseField(value);
  } else {
    condition.ParseParts(value, form->key == "all" ? Kind::kAll : form->key == "any" ? Kind::kAny : Kind::kNot);
  }
  if (const Value* duration = value.Find("for")) {
    const ParamDecl decl{.name = "for", .type = ParamType::kDuration, .min = 0};
    condition.for_ = std::get<Duration>(ParseParam(decl, *duration));
  }
  return condition;
}

void Condition::ParseField(const Value& value) {
  field_ = value.Find("field")->scalar();
  const Value::Entry* found = nullptr;
  for (const Value::Entry& entry : value.entries()) {
    const auto is_it = [&](const auto& each) { return each.first == entry.key; };
    const auto it = std::find_if(Comparisons().begin(), Comparisons().end(), is_it);
    if (it == Comparisons().end()) continue;
    if (found) {
      throw DefinitionError(entry.key_position, "'" + found->key + "' and '" + entry.key +
                                                    "' are two conditions: write all: [ {...}, {...} ]");
    }
    found = &entry;
    comparison_ = it->second;
  }
  if (!found) {
    throw DefinitionError(value.position(), "field '" + field_ +
                                                "' is not compared with anything: is, is_not, below, "
                                                "at_most, above, at_least, contains or changed");
  }
  text_ = found->value.scalar();
  number_ = ReadNumber(text_);
  const bool needs_number = comparison_ == Comparison::kBelow || comparison_ == Comparison::kAtMost ||
                            comparison_ == Comparison::kAbove || comparison_ == Comparison::kAtLeast;
  if (needs_number && !number_) {
    throw DefinitionError(found->value.position(), "'" + found->key + "' must be a number, found '" + text_ + "'");
  }
  if (comparison_ == Comparison::kChanged && text_ != "true") {
    throw DefinitionError(found->value.position(), "'changed' must be true; the opposite is not: { ... }");
  }
  if (!FitsEveryPacket(needs_number)) {
    throw DefinitionError(found->value.position(),
                          "field '" + field_ + "' is " + (field_ == kIsError ? "true or false" : "a number") +
                              ", which cannot be compared as '" + found->key + ": " + text_ + "'");
  }
}

bool Condition::FitsEveryPacket(bool compares_numbers) const {
  if (comparison_ == Comparison::kChanged) return true;
  if (field_ == kIsError) {
    return !compares_numbers && comparison_ != Comparison::kContains && (text_ == "true" || text_ == "false");
  }
  return !IsNumberOfEveryPacket(field_) || (number_ && comparison_ != Comparison::kContains);
}

void Condition::ParseParts(const Value& value, Kind kind) {
  kind_ = kind;
  for (const Value::Entry& entry : value.entries()) {
    if (entry.key == "for") continue;
    if (entry.key != "all" && entry.key != "any" && entry.key != "not") {
      throw DefinitionError(entry.key_position, "'" + entry.key + "' compares a field, and there is no 'field' here");
    }
    if (kind == Kind::kNot) {
      parts_.push_back(Parse(entry.value));
      continue;
    }
    for (const Value& item : entry.value.items()) parts_.push_back(Parse(item));
    if (parts_.empty()) throw DefinitionError(entry.value.position(), "'" + entry.key + "' is an empty list");
  }
}

bool Condition::Holds(const Packet& packet, Time time) {
  const bool holds = HoldsNow(packet, time);
  if (!for_) return holds;
  if (!holds) {
    since_.reset();
  } else if (!since_) {
    since_ = time;
  }
  return holds && time - *since_ >= *for_;
}

bool Condition::HoldsNow(const Packet& packet, Time time) {
  if (kind_ == Kind::kField) return Compare(packet);
  // Every part sees every packet, as it may keep something.
  size_t num_true = 0;
  for (Condition& part : parts_) num_true += part.Holds(packet, time) ? 1 : 0;
  switch (kind_) {
    case Kind::kAll:
      return num_true == parts_.size();
    case Kind::kAny:
      return num_true > 0;
    default:
      return num_true == 0;
  }
}

bool Condition::Compare(const Packet& packet) {
  std::optional<FieldValue> value = PacketField(packet, field_);
  if (!value) {
    throw MissingFieldError(std::string("a packet of type ") + packet.type().name + " has no field '" + field_ + "'");
  }
  if (comparison_ == Comparison::kChanged) return HasChanged(std::move(*value));
  const bool is_equality = comparison_ == Comparison::kIs || comparison_ == Comparison::kIsNot;
  if (const std::string* text = std::get_if<std::string>(&*value)) {
    if (comparison_ == Comparison::kContains) return text->find(text_) != std::string::npos;
    if (is_equality) return (*text == text_) == (comparison_ == Comparison::kIs);
  } else if (const bool* flag = std::get_if<bool>(&*value)) {
    if (is_equality && (text_ == "true" || text_ == "false")) {
      return (*flag == (text_ == "true")) == (comparison_ == Comparison::kIs);
    }
  } else if (number_) {
    const double number = std::get<double>(*value);
    switch (comparison_) {
      case Comparison::kIs:
        return number == *number_;
      case Comparison::kIsNot:
        return number != *number_;
      case Comparison::kBelow:
        return number < *number_;
      case Comparison::kAtMost:
        return number <= *number_;
      case Comparison::kAbove:
        return number > *number_;
      case Comparison::kAtLeast:
        return number >= *number_;
      default:
        break;
    }
  }
  ThrowIncomparable(packet, *value);
}

bool Condition::HasChanged(FieldValue value) {
  const bool has_changed = last_ && *last_ != value;
  last_ = std::move(value);
  return has_changed;
}

void Condition::ThrowIncomparable(const Packet& packet, const FieldValue& value) const {
  std::string word;
  for (const auto& [name, comparison] : Comparisons()) {
    if (comparison == comparison_) word = name;
  }
  throw BadInputError("field '" + field_ + "' of a packet of type " + packet.type().name + " is " + Text(value) +
                      ", which cannot be compared as '" + word + ": " + text_ + "'");
}

void Condition::Reset() {
  last_.reset();
  since_.reset();
  for (Condition& part : parts_) part.Reset();
}

}  // namespace percept::graph
