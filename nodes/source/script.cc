// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/script.h"

#include <charconv>
#include <functional>
#include <map>
#include <stdexcept>
#include <utility>

#include "graph/node/nearest.h"

namespace percept::nodes {
namespace {

using graph::Duration;
using graph::ParamDecl;
using graph::ParamType;
using graph::Value;

template <class T>
T Read(const ParamDecl& decl, const Value& value) {
  return std::get<T>(graph::ParseParam(decl, value));
}

// The type of a plain scalar is what it looks like.
graph::FieldValue ReadField(const std::string& name, const Value& value) {
  auto text = Read<std::string>({.name = name}, value);
  if (text == "true" || text == "false") return text == "true";
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return text;
}

Text& TextOf(ScriptLine& line) {
  if (!line.text) line.text.emplace();
  return *line.text;
}

void ReadFields(const Value& value, ScriptLine& line) {
  for (const Value::Entry& entry : value.entries()) {
    TextOf(line).fields[entry.key] = ReadField(entry.key, entry.value);
  }
}

using ReadKey = std::function<void(const ParamDecl& decl, const Value& value, ScriptLine& line)>;

template <class T, class Member>
ReadKey To(Member ScriptLine::*member) {
  return [member](const ParamDecl& decl, const Value& value, ScriptLine& line) { line.*member = Read<T>(decl, value); };
}

struct Key {
  ParamType type;
  ReadKey read;
};

const std::map<std::string, Key>& Keys() {
  static const std::map<std::string, Key> keys = {
      {"wait", {ParamType::kDuration, To<Duration>(&ScriptLine::wait)}},
      {"epoch", {ParamType::kDuration, To<Duration>(&ScriptLine::epoch)}},
      {"bound", {ParamType::kDuration, To<Duration>(&ScriptLine::bound)}},
      {"transient", {ParamType::kString, To<std::string>(&ScriptLine::transient)}},
      {"times", {ParamType::kInt, To<int64_t>(&ScriptLine::times)}},
      {"throw", {ParamType::kString, To<std::string>(&ScriptLine::thrown)}},
      {"block", {ParamType::kBool, To<bool>(&ScriptLine::blocks)}},
      {"t", {ParamType::kDuration, To<Duration>(&ScriptLine::t)}},
      {"ticks", {ParamType::kInt, To<int64_t>(&ScriptLine::ticks)}},
      {"error", {ParamType::kString, To<std::string>(&ScriptLine::error)}},
      {"text",
       {ParamType::kString, [](const ParamDecl& decl, const Value& value,
                               ScriptLine& line) { TextOf(line).text = Read<std::string>(decl, value); }}},
      {"fields",
       {ParamType::kAny, [](const ParamDecl&, const Value& value, ScriptLine& line) { ReadFields(value, line); }}},
      {"bytes",
       {ParamType::kBytes,
        [](const ParamDecl& decl, const Value& value, ScriptLine& line) {
          TextOf(line).claimed_bytes = static_cast<size_t>(Read<int64_t>(decl, value));
        }}},
      {"duration", {ParamType::kDuration, To<Duration>(&ScriptLine::duration)}},
      {"item", {ParamType::kString, To<std::string>(&ScriptLine::item)}},
      {"chunk", {ParamType::kString, To<std::string>(&ScriptLine::chunk)}},
  };
  return keys;
}

std::vector<std::string> KeyNames() {
  std::vector<std::string> names;
  for (const auto& [name, key] : Keys()) names.push_back(name);
  return names;
}

void RequireSense(const Value& value, const ScriptLine& line) {
  const auto refuse = [&](const char* reason) { throw graph::DefinitionError(value.position(), reason); };
  if ((line.text || line.error) && !line.t && !line.ticks) {
    refuse("a script line with a packet or an error needs its time: t or ticks");
  }
  if (line.text && line.error) refuse("a script line has a packet or an error, not both");
  if (line.wait && *line.wait < Duration()) refuse("a script line cannot wait for a negative time");
  if (line.duration < Duration()) refuse("a packet's duration cannot be negative");
  if (value.Find("times") && !line.transient) refuse("'times' says how often a line is 'transient'");
  if (line.times < 0) refuse("'times' cannot be negative");
  if (line.ticks && *line.ticks < 0) refuse("'ticks' cannot be negative");
}

ScriptLine ReadLine(const Value& value) {
  ScriptLine line;
  if (value.entries().empty()) throw graph::DefinitionError(value.position(), "a script line that says nothing");
  static const std::vector<std::string> valid = KeyNames();
  graph::RefuseUnknownKeys(value, "a script line", valid);
  for (const Value::Entry& entry : value.entries()) {
    const Key& key = Keys().at(entry.key);
    key.read({.name = entry.key, .type = key.type}, entry.value, line);
  }
  RequireSense(value, line);
  if (line.item.empty() && line.text) line.item = line.text->text;
  return line;
}

}  // namespace

std::vector<ScriptLine> ReadScript(const Value& items) {
  std::vector<ScriptLine> lines;
  for (const Value& item : items.items()) lines.push_back(ReadLine(item));
  return lines;
}

ScriptLine GeneratedScript::Line(int64_t idx) const {
  ScriptLine line;
  if (idx > 0) line.wait = wait;
  int64_t t_ns = 0;
  if (__builtin_mul_overflow(interval.nanoseconds(), idx, &t_ns)) {
    throw std::out_of_range("text " + std::to_string(idx) + " would lie behind the end of time");
  }
  if (step_back_every > 0 && idx > 0 && idx % step_back_every == 0) t_ns -= step_back.nanoseconds();
  line.t = Duration::Nanoseconds(t_ns);
  line.text = Text{.text = text + std::to_string(idx), .claimed_bytes = static_cast<size_t>(claimed_bytes)};
  line.item = line.text->text;
  line.duration = interval;
  if (chunk_every > 0 && (idx + 1) % chunk_every == 0) line.chunk = line.item;
  return line;
}

}  // namespace percept::nodes
