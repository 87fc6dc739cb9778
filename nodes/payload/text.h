// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "graph/packet/payload.h"

namespace percept::nodes {

// A text with named values that conditions can look at.
struct Text {
  std::string text;
  std::map<std::string, graph::FieldValue, std::less<>> fields;
  size_t claimed_bytes = 0;  // counted on edges and in state on top of what it really is
};

}  // namespace percept::nodes

template <>
struct percept::graph::PayloadTraits<percept::nodes::Text> {
  static constexpr const char* kName = "Text";
  static size_t Bytes(const percept::nodes::Text& text) {
    size_t bytes = sizeof(text) + text.text.size() + text.claimed_bytes;
    for (const auto& [name, value] : text.fields) bytes += name.size() + sizeof(value);
    return bytes;
  }
  // "text" is the text itself, unless a value has that name.
  static std::optional<FieldValue> Field(const percept::nodes::Text& text, std::string_view name) {
    const auto it = text.fields.find(name);
    if (it != text.fields.end()) return it->second;
    if (name == "text") return text.text;
    return std::nullopt;
  }
};
