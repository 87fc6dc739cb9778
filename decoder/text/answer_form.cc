// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/answer_form.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "kernels/core/error.h"

namespace percept {
namespace {

using Json = nlohmann::ordered_json;
using StateId = Automaton::StateId;

constexpr size_t kMaxStates = 100'000;
constexpr int kMaxDepth = 50;

ByteSet Range(int first, int last) {
  ByteSet bytes;
  for (int byte = first; byte <= last; ++byte) bytes.set(static_cast<size_t>(byte));
  return bytes;
}

const ByteSet kDigits = Range('0', '9');

bool IsOneOf(std::string_view key, std::initializer_list<std::string_view> keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

class SchemaReader {
 public:
  explicit SchemaReader(Automaton* out) : out_(*out) {}

  // States that read a value of the schema. `path` is where it stands, for messages.
  StateId Value(const Json& schema, StateId next, const std::string& path) {
    if (!schema.is_object()) Fail(path, "is not an object");
    if (++depth_ > kMaxDepth) Fail(path, "is nested too deep");
    RequireKnown(schema, path);
    const StateId start = ValueOf(schema, next, path);
    if (out_.size() > kMaxStates) Fail(path, "describes too much");
    --depth_;
    return start;
  }

 private:
  [[noreturn]] static void Fail(const std::string& path, const std::string& reason) {
    throw InputError("the schema" + (path.empty() ? "" : " at " + path) + " " + reason);
  }

  static void RequireKnown(const Json& schema, const std::string& path) {
    for (const auto& [key, value] : schema.items()) {
      if (IsOneOf(key, {"type",
                        "properties",
                        "required",
                        "items",
                        "minItems",
                        "maxItems",
                        "minLength",
                        "maxLength",
                        "enum",
                        "const",
                        "anyOf",
                        "oneOf",
                        "additionalProperties",
                        "title",
                        "description",
                        "default",
                        "examples",
                        "$schema",
                        "$id",
                        "$comment"})) {
        continue;
      }
      Fail(path, "has the keyword '" + key + "', which is not supported");
    }
  }

  static int64_t Count(const Json& schema, const char* key, int64_t missing, const std::string& path) {
    if (!schema.contains(key)) return missing;
    const Json& value = schema.at(key);
    if (!value.is_number_unsigned() || value.get<int64_t>() > 10'000) {
      Fail(path, std::string("has a '") + key + "' that is no count up to 10000");
    }
    return value.get<int64_t>();
  }

  StateId ValueOf(const Json& schema, StateId next, const std::string& path) {
    if (schema.contains("const")) return out_.Literal(schema["const"].dump(), next);
    if (schema.contains("enum")) {
      return Each(schema["enum"], path, [&](const Json& value) { return out_.Literal(value.dump(), next); });
    }
    for (const char* key : {"anyOf", "oneOf"}) {
      if (!schema.contains(key)) continue;
      return Each(schema[key], path, [&](const Json& one) { return Value(one, next, path + "/" + key); });
    }
    if (!schema.contains("type")) Fail(path, "has no 'type'");
    const Json& type = schema["type"];
    if (!type.is_array()) return OfType(type, schema, next, path);
    return Each(type, path, [&](const Json& one) { return OfType(one, schema, next, path); });
  }

  template <typename Make>
  StateId Each(const Json& list, const std::string& path, Make make) {
    if (!list.is_array() || list.empty()) Fail(path, "has an empty list, or something else in its place");
    std::vector<StateId> starts;
    for (const Json& item : list) starts.push_back(make(item));
    return out_.AnyOf(starts);
  }

  StateId OfType(const Json& type, const Json& schema, StateId next, const std::string& path) {
    if (type == "object") return Object(schema, next, path);
    if (type == "array") return Array(schema, next, path);
    if (type == "string") return String(schema, next, path);
    if (type == "integer") return Integer(next);
    if (type == "number") return Number(next);
    if (type == "null") return out_.Literal("null", next);
    if (type == "boolean") return Either(out_.Literal("true", next), out_.Literal("false", next));
    Fail(path, "has the unknown type " + type.dump());
  }

  StateId Either(StateId one, StateId other) { return out_.AnyOf(std::array{one, other}); }

  // A comma or colon, with a space behind it or not.
  StateId Mark(char mark, StateId next) { return out_.Literal({&mark, 1}, Either(out_.Literal(" ", next), next)); }

  StateId Object(const Json& schema, StateId next, const std::string& path) {
    if (!schema.contains("properties") || !schema["properties"].is_object())
      Fail(path, "is an object's without 'properties'");
    const Json& properties = schema["properties"];
    const Json required = schema.value("required", Json::array());
    for (const Json& name : required) {
      if (!name.is_string() || !properties.contains(name.get<std::string>())) {
        Fail(path, "requires " + name.dump() + ", which is not among its properties");
      }
    }
    // From the last property on: what may follow once a member is written, and while none is.
    StateId after_member = out_.Literal("}", next);
    StateId after_none = after_member;
    const auto& members = properties.get_ref<const Json::object_t&>();
    for (auto member = members.rbegin(); member != members.rend(); ++member) {
      const StateId value = Value(member->second, after_member, path + "/" + member->first);
      const StateId named = out_.Literal(Json(member->first).dump(), Mark(':', value));
      const StateId further = Mark(',', named);
      const bool is_required = std::find(required.begin(), required.end(), member->first) != required.end();
      after_member = is_required ? further : Either(further, after_member);
      after_none = is_required ? named : Either(named, after_none);
    }
    return out_.Literal("{", after_none);
  }

  StateId Array(const Json& schema, StateId next, const std::string& path) {
    if (!schema.contains("items")) Fail(path, "is an array's without 'items'");
    const int64_t least = Count(schema, "minItems", 0, path);
    const int64_t most = Count(schema, "maxItems", -1, path);
    if (most >= 0 && most < least) Fail(path, "has maxItems below minItems");
    const auto item = [&](StateId after) { return Value(schema["items"], after, path + "/items"); };
    const StateId end = out_.Literal("]", next);
    if (most == 0) return out_.Literal("[", end);
    // Behind so many items, from the last on.
    StateId rest = end;
    if (most < 0) {
      rest = out_.Repeat([&](StateId again) { return Mark(',', item(again)); }, end);
    }
    const int64_t last = most < 0 ? std::max<int64_t>(least, 1) : most;
    for (int64_t count = last - 1; count >= 1; --count) {
      const StateId further = Mark(',', item(rest));
      rest = count < least ? further : Either(further, end);
      if (out_.size() > kMaxStates) Fail(path, "describes too much");
    }
    const StateId first = item(rest);
    return out_.Literal("[", least == 0 ? Either(first, end) : first);
  }

  // One character of a string, as UTF-8 without control characters, or an escape.
  StateId Character(StateId next) {
    const ByteSet tail = Range(0x80, 0xBF);
    const StateId one = out_.Bytes(tail, next);
    const StateId two = out_.Bytes(tail, one);
    const ByteSet hex = kDigits | Range('a', 'f') | Range('A', 'F');
    StateId escaped_code = next;
    for (int i = 0; i < 4; ++i) escaped_code = out_.Bytes(hex, escaped_code);
    ByteSet escapes;
    for (const char c : std::string_view("\"\\/bfnrt")) escapes.set(static_cast<uint8_t>(c));
    const StateId escape = Either(out_.Bytes(escapes, next), out_.Literal("u", escaped_code));
    return out_.AnyOf(std::array{
        out_.Bytes(Range(0x20, 0x7E) & ~Range('"', '"') & ~Range('\\', '\\'), next), out_.Literal("\\", escape),
        out_.Bytes(Range(0xC2, 0xDF), one), out_.Literal("\xE0", out_.Bytes(Range(0xA0, 0xBF), one)),
        out_.Bytes(Range(0xE1, 0xEC) | Range(0xEE, 0xEF), two),
        out_.Literal("\xED", out_.Bytes(Range(0x80, 0x9F), one)),
        out_.Literal("\xF0", out_.Bytes(Range(0x90, 0xBF), two)), out_.Bytes(Range(0xF1, 0xF3), out_.Bytes(tail, two)),
        out_.Literal("\xF4", out_.Bytes(Range(0x80, 0x8F), two))});
  }

  StateId String(const Json& schema, StateId next, const std::string& path) {
    const int64_t least = Count(schema, "minLength", 0, path);
    const int64_t most = Count(schema, "maxLength", -1, path);
    if (most >= 0 && most < least) Fail(path, "has maxLength below minLength");
    const StateId end = out_.Literal("\"", next);
    StateId rest = end;
    if (most < 0) rest = out_.Repeat([&](StateId again) { return Character(again); }, end);
    for (int64_t count = (most < 0 ? least : most) - 1; count >= 0; --count) {
      const StateId further = Character(rest);
      rest = count < least ? further : Either(further, end);
      if (out_.size() > kMaxStates) Fail(path, "describes too much");
    }
    return out_.Literal("\"", rest);
  }

  StateId Digits(StateId next) {
    return out_.Bytes(kDigits, out_.Repeat([&](StateId again) { return out_.Bytes(kDigits, again); }, next));
  }

  StateId Integer(StateId next) {
    const StateId more = out_.Repeat([&](StateId again) { return out_.Bytes(kDigits, again); }, next);
    const StateId whole = Either(out_.Literal("0", next), out_.Bytes(Range('1', '9'), more));
    return Either(out_.Literal("-", whole), whole);
  }

  StateId Number(StateId next) {
    const StateId digits = Digits(next);
    const StateId sign = out_.AnyOf(std::array{out_.Literal("+", digits), out_.Literal("-", digits), digits});
    const StateId exponent = Either(out_.Bytes(Range('e', 'e') | Range('E', 'E'), sign), next);
    return Integer(Either(out_.Literal(".", Digits(exponent)), exponent));
  }

  Automaton& out_;
  int depth_ = 0;
};

}  // namespace

std::shared_ptr<const Automaton> FormOfChoices(const std::vector<std::string>& choices) {
  auto form = std::make_shared<Automaton>();
  std::vector<StateId> starts;
  for (const std::string& choice : choices) {
    if (choice.empty()) throw InputError("a choice of the answer is empty");
    starts.push_back(form->Literal(choice, Automaton::kAccept));
  }
  if (starts.empty()) throw InputError("there are no choices for the answer");
  form->set_start(form->AnyOf(starts));
  return form;
}

std::shared_ptr<const Automaton> FormOfSchema(std::string_view schema) {
  const Json json = Json::parse(schema, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) throw InputError("the schema is not JSON");
  auto form = std::make_shared<Automaton>();
  form->set_start(SchemaReader(form.get()).Value(json, Automaton::kAccept, ""));
  return form;
}

}  // namespace percept
