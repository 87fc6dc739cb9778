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
    constexpr size_t kPlaceInMap = 4 * sizeof(void*);  // beside what stands there
    size_t bytes = sizeof(text) + HeapBytes(text.text) + text.claimed_bytes;
    for (const auto& field : text.fields) {
      const auto* const value = std::get_if<std::string>(&field.second);
      bytes += kPlaceInMap + sizeof(field) + HeapBytes(field.first) + (value == nullptr ? 0 : HeapBytes(*value));
    }
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
