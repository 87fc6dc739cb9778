// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "graph/packet/payload.h"

namespace percept::nodes {

// A piece of an answer, whole UTF-8. The pieces of one item, joined, are its record's text.
struct TextDelta {
  std::string text;
};

}  // namespace percept::nodes

template <>
struct percept::graph::PayloadTraits<percept::nodes::TextDelta> {
  static constexpr const char* kName = "TextDelta";
  static size_t Bytes(const percept::nodes::TextDelta& delta) { return sizeof(delta) + HeapBytes(delta.text); }
};
