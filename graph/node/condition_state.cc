// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <stdexcept>

#include "graph/node/condition.h"

namespace percept::graph {
namespace {

// Each part is its length, a colon and its text; "0:" for nothing.
void Append(std::string& state, std::string_view part) {
  state += std::to_string(part.size()) + ":";
  state += part;
}

template <class T>
T Number(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) throw std::invalid_argument("no state of a condition");
  return number;
}

std::string_view TakePart(std::string_view& state) {
  const size_t colon = state.find(':');
  if (colon == std::string_view::npos) throw std::invalid_argument("no state of a condition");
  const auto length = Number<size_t>(state.substr(0, colon));
  if (length > state.size() - colon - 1) throw std::invalid_argument("a state of a condition that is cut short");
  const std::string_view part = state.substr(colon + 1, length);
  state.remove_prefix(colon + 1 + length);
  return part;
}

// A letter for the type, then the value; the shortest digits that give the number back.
std::string ValueText(const FieldValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "b1" : "b0";
  if (const std::string* text = std::get_if<std::string>(&value)) return "s" + *text;
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), std::get<double>(value)).ptr;
  std::string number = "n";
  return number.append(digits.begin(), end);
}

FieldValue ReadValue(std::string_view text) {
  const std::string_view rest = text.substr(1);
  if (text.front() == 'b') return rest == "1";
  if (text.front() == 's') return std::string(rest);
  return Number<double>(rest);
}

}  // namespace

std::string Condition::SaveState() const {
  std::string state;
  Append(state, last_ ? ValueText(*last_) : "");
  Append(state, since_ ? std::to_string(since_->nanoseconds()) : "");
  for (const Condition& part : parts_) state += part.SaveState();
  return state;
}

void Condition::RestoreState(std::string_view& state) {
  const std::string_view last = TakePart(state);
  last_ = last.empty() ? std::nullopt : std::optional(ReadValue(last));
  const std::string_view since = TakePart(state);
  since_ = since.empty() ? std::nullopt : std::optional(Time::Nanoseconds(Number<int64_t>(since)));
  for (Condition& part : parts_) part.RestoreState(state);
}

}  // namespace percept::graph
