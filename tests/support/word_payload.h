// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "graph/packet/packet.h"
#include "tests/support/recorder.h"

// What test graphs exchange: a word that claims a size.
struct Word {
  std::string text;
  size_t bytes = 0;
};

template <>
struct percept::graph::PayloadTraits<Word> {
  static constexpr const char* kName = "Word";
  static size_t Bytes(const Word& word) { return word.bytes; }
  static std::optional<FieldValue> Field(const Word& word, std::string_view name) {
    return name == "text" ? std::optional<FieldValue>(word.text) : std::nullopt;
  }
};

struct Number {
  int64_t value = 0;
};

template <>
struct percept::graph::PayloadTraits<Number> {
  static constexpr const char* kName = "Number";
  static size_t Bytes(const Number&) { return sizeof(int64_t); }
};

inline percept::graph::Packet MakeWord(const std::string& text, int64_t ms, size_t bytes = 1) {
  return percept::graph::Packet::Make(Word{text, bytes}, percept::graph::Time::Milliseconds(ms));
}

// What a word of so many bytes takes on an edge, or in a node, where it belongs to no item.
inline size_t WordBytes(size_t bytes) { return MakeWord("", 0, bytes).bytes(); }

// "0.04s a (x.png)" or "0.04s bad_input from 'read': cut short (x.png)"; the item only where there is one.
inline std::string Describe(const percept::graph::Packet& packet) {
  std::string text = packet.timestamp().ToString() + " ";
  if (packet.is_error()) {
    const auto& error = packet.Get<percept::graph::ErrorPayload>();
    text += std::string(percept::graph::ToString(error.kind)) + " from '" + error.node + "': " + error.reason;
  } else {
    text += packet.Get<Word>().text;
  }
  return packet.item_label().empty() ? text : text + " (" + packet.item_label() + ")";
}
