// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/tool_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/core/error.h"

namespace percept {
namespace {

using Json = nlohmann::ordered_json;
using Member = Json::object_t::value_type;

constexpr std::string_view kQuote = "<|\"|>";
// A schema is written by recursion; nobody nests one this deep.
constexpr int kMaxDepth = 100;

int Depth(const Json& value) {
  // The parser's own stack is on the heap, this one is not: levels are counted without recursion.
  int depth = 0;
  for (std::vector<const Json*> level = {&value}; !level.empty() && depth <= kMaxDepth; ++depth) {
    std::vector<const Json*> next;
    for (const Json* parent : level) {
      for (const Json& child : *parent) {
        if (child.is_structured()) next.push_back(&child);
      }
    }
    level = std::move(next);
  }
  return depth;
}

Json ParseJson(const std::string& text, const std::string& what) {
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) throw InputError(what + " is not JSON");
  if (Depth(value) > kMaxDepth) throw InputError(what + " is nested more than " + std::to_string(kMaxDepth) + " deep");
  return value;
}

Json ParseObject(const std::string& text, const std::string& what) {
  Json value = text.empty() ? Json::object() : ParseJson(text, what);
  if (value.is_null()) value = Json::object();
  if (!value.is_object()) throw InputError(what + " is not a JSON object but of the kind " + value.type_name());
  return value;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return upper;
}

// Members by lower-cased key; equal ones stay in their order.
std::vector<const Member*> Sorted(const Json& object) {
  std::vector<const Member*> members;
  for (const Member& member : object.get_ref<const Json::object_t&>()) members.push_back(&member);
  std::stable_sort(members.begin(), members.end(),
                   [](const Member* a, const Member* b) { return Lower(a->first) < Lower(b->first); });
  return members;
}

// As Python prints it: the shortest digits that read back the same, positional from 1e-4 up to 1e16.
std::string FloatText(double value) {
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
  std::array<char, 40> text;
  const auto print = [&](std::chars_format format) {
    return std::string(text.data(), std::to_chars(text.data(), text.data() + text.size(), value, format).ptr);
  };
  std::string scientific = print(std::chars_format::scientific);
  const int64_t exponent = std::strtol(scientific.c_str() + scientific.find('e') + 1, nullptr, 10);
  if (exponent < -4 || exponent >= 16) return scientific;
  std::string fixed = print(std::chars_format::fixed);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

bool IsTruthy(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value.get<double>() != 0;
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  return !value.empty();
}

// Puts commas between the parts of one list.
class Parts {
 public:
  explicit Parts(SpanWriter* out) : out_(out) {}
  void Next() {
    if (!first_) out_->Trusted(",");
    first_ = false;
  }

 private:
  SpanWriter* out_;
  bool first_ = true;
};

class SchemaWriter {
 public:
  explicit SchemaWriter(SpanWriter* out) : out_(*out) {}

  void String(std::string_view text) {
    out_.Trusted(kQuote);
    out_.Untrusted(text);
    out_.Trusted(kQuote);
  }

  enum class Keys { kBare, kQuoted };

  // k:v,k:v
  void Members(const Json& object, Keys keys) {
    Parts parts(&out_);
    for (const Member* member : Sorted(object)) {
      parts.Next();
      if (keys == Keys::kQuoted) {
        String(member->first);
      } else {
        out_.Untrusted(member->first);
      }
      out_.Trusted(":");
      Value(member->second, keys);
    }
  }

  void Value(const Json& value, Keys keys) {
    if (value.is_string()) {
      String(value.get_ref<const std::string&>());
    } else if (value.is_object()) {
      out_.Trusted("{");
      Members(value, keys);
      out_.Trusted("}");
    } else if (value.is_array()) {
      out_.Trusted("[");
      Parts parts(&out_);
      for (const Json& item : value) {
        parts.Next();
        Value(item, keys);
      }
      out_.Trusted("]");
    } else {
      out_.Untrusted(value.is_number_float() ? FloatText(value.get<double>()) : value.dump());
    }
  }

  void Names(const Json& names) {
    out_.Trusted("[");
    Parts parts(&out_);
    for (const Json& name : names) {
      parts.Next();
      String(name.is_string() ? name.get<std::string>() : name.dump());
    }
    out_.Trusted("]");
  }

  // name:{...},name:{...}; the keys of `schema` but for those in `skipped`.
  void Properties(const Json& schema, bool is_keyword_list) {
    Parts parts(&out_);
    for (const Member* member : Sorted(schema)) {
      if (is_keyword_list && IsStandardKey(member->first)) continue;
      parts.Next();
      out_.Untrusted(member->first);
      out_.Trusted(":{");
      Property(member->second);
      out_.Trusted("}");
    }
  }

 private:
  static bool IsStandardKey(std::string_view key) {
    constexpr std::array<std::string_view, 5> kKeys = {"description", "type", "properties", "required", "nullable"};
    return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
  }

  static const Json* Find(const Json& schema, const char* key) {
    if (!schema.is_object()) return nullptr;
    const auto found = schema.find(key);
    return found == schema.end() ? nullptr : &*found;
  }

  static const Json* FindTruthy(const Json& schema, const char* key) {
    const Json* value = Find(schema, key);
    return value != nullptr && IsTruthy(*value) ? value : nullptr;
  }

  // A list of types is printed as Python prints one.
  static std::string TypeText(const Json* type) {
    if (type == nullptr) return "";
    if (type->is_string()) return Upper(type->get_ref<const std::string&>());
    if (!type->is_array()) return Upper(type->dump());
    std::string text = "[";
    for (const Json& item : *type) {
      if (text.size() > 1) text += ", ";
      const std::string name = TypeText(&item);
      text += item.is_string() ? std::string("'").append(name).append("'") : name;
    }
    return text + "]";
  }

  void Property(const Json& schema) {
    Parts parts(&out_);
    const auto key = [&](std::string_view name) {
      parts.Next();
      out_.Trusted(name);
    };
    const std::string type = TypeText(Find(schema, "type"));
    if (const Json* description = FindTruthy(schema, "description"); description && description->is_string()) {
      key("description:");
      String(description->get_ref<const std::string&>());
    }
    if (const Json* values = Find(schema, "enum"); values && type == "STRING") {
      key("enum:");
      Value(*values, Keys::kQuoted);
    }
    if (const Json* items = FindTruthy(schema, "items"); items && items->is_object() && type == "ARRAY") {
      key("items:{");
      Items(*items);
      out_.Trusted("}");
    }
    if (FindTruthy(schema, "nullable")) key("nullable:true");
    if (type == "OBJECT") {
      const Json* properties = Find(schema, "properties");
      const bool has_properties = properties != nullptr && properties->is_object();
      key("properties:{");
      Properties(has_properties ? *properties : schema, /*is_keyword_list=*/!has_properties);
      out_.Trusted("}");
      if (const Json* required = FindTruthy(schema, "required")) {
        key("required:");
        Names(*required);
      }
    }
    key("type:");
    String(type);
  }

  void Items(const Json& items) {
    Parts parts(&out_);
    for (const Member* member : Sorted(items)) {
      const auto& [key, value] = *member;
      if (value.is_null()) continue;
      parts.Next();
      out_.Untrusted(key);
      out_.Trusted(":");
      if (key == "properties" && value.is_object()) {
        out_.Trusted("{");
        Properties(value, /*is_keyword_list=*/false);
        out_.Trusted("}");
      } else if (key == "required") {
        Names(value);
      } else if (key == "type" && value.is_string()) {
        String(TypeText(&value));
      } else if (key == "type" && value.is_array()) {
        Json upper = value;
        for (Json& item : upper) item = TypeText(&item);
        Value(upper, Keys::kQuoted);
      } else {
        Value(value, Keys::kQuoted);
      }
    }
  }

  SpanWriter& out_;
};

void WriteParameters(const Json& parameters, SpanWriter* out) {
  SchemaWriter schema(out);
  out->Trusted(",parameters:{");
  if (const auto properties = parameters.find("properties"); properties != parameters.end() && !properties->empty()) {
    out->Trusted("properties:{");
    if (properties->is_object()) schema.Properties(*properties, /*is_keyword_list=*/false);
    out->Trusted("},");
  }
  if (const auto required = parameters.find("required"); required != parameters.end() && !required->empty()) {
    out->Trusted("required:");
    schema.Names(*required);
    out->Trusted(",");
  }
  // A schema that names no type is one of an object all the same.
  out->Trusted("type:");
  schema.String("OBJECT");
  out->Trusted("}");
}

void WriteResponseSchema(const Json& response, SpanWriter* out) {
  SchemaWriter schema(out);
  out->Trusted(",response:{");
  if (const auto text = response.find("description"); text != response.end() && text->is_string() && IsTruthy(*text)) {
    out->Trusted("description:");
    schema.String(text->get_ref<const std::string&>());
    out->Trusted(",");
  }
  out->Trusted("type:");
  schema.String("OBJECT");
  out->Trusted("}");
}

std::string NameOf(const ToolResponse& response) { return response.name.empty() ? "unknown" : response.name; }

void WriteName(const char* verb, std::string_view name, SpanWriter* out) {
  out->Trusted(verb);
  out->Untrusted(name);
  out->Trusted("{");
}

}  // namespace

void WriteTool(const Tool& tool, SpanWriter* out) {
  const std::string what = "of the tool '" + tool.name + "'";
  SchemaWriter schema(out);
  out->Trusted("<|tool>");
  WriteName("declaration:", tool.name, out);
  out->Trusted("description:");
  schema.String(tool.description);
  if (const Json parameters = ParseObject(tool.parameters, "the schema " + what); !parameters.empty()) {
    WriteParameters(parameters, out);
  }
  if (!tool.response.empty()) {
    WriteResponseSchema(ParseObject(tool.response, "the schema of the response " + what), out);
  }
  out->Trusted("}<tool|>");
}

void WriteToolCall(const ToolCall& call, SpanWriter* out) {
  const Json arguments = ParseObject(call.arguments, "the arguments of the call of the tool '" + call.name + "'");
  out->Trusted("<|tool_call>");
  WriteName("call:", call.name, out);
  SchemaWriter(out).Members(arguments, SchemaWriter::Keys::kBare);
  out->Trusted("}<tool_call|>");
}

void WriteToolResponse(const ToolResponse& response, SpanWriter* out) {
  const std::string name = NameOf(response);
  const Json value = ParseJson(response.value, "the response of the tool '" + name + "'");
  SchemaWriter schema(out);
  out->Trusted("<|tool_response>");
  WriteName("response:", name, out);
  if (value.is_object()) {
    schema.Members(value, SchemaWriter::Keys::kBare);
  } else {
    out->Trusted("value:");
    schema.Value(value, SchemaWriter::Keys::kBare);
  }
  out->Trusted("}<tool_response|>");
}

void WriteToolAnswer(std::string_view name, const std::string* words, SpanWriter* out) {
  out->Trusted("<|tool_response>");
  WriteName("response:", name.empty() ? "unknown" : name, out);
  out->Trusted("value:");
  if (words == nullptr) {
    out->Trusted("null");
  } else {
    SchemaWriter(out).String(*words);
  }
  out->Trusted("}<tool_response|>");
}

}  // namespace percept
