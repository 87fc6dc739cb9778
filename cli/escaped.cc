// SPDX-License-Identifier: Apache-2.0
#include "cli/escaped.h"

#include <array>
#include <cstdio>

namespace percept::cli {
namespace {

std::string AsHex(unsigned char byte) {
  std::array<char, 8> text;
  std::snprintf(text.data(), text.size(), "\\x%02x", byte);
  return text.data();
}

std::string Escape(unsigned char byte) {
  switch (byte) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return AsHex(byte);
  }
}

}  // namespace

std::string Escaped(std::string_view text) {
  constexpr unsigned char kDelete = 0x7f, kC1Lead = 0xc2, kC1First = 0x80, kC1Last = 0x9f;
  std::string escaped;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : '\0');
    if (byte == kC1Lead && next >= kC1First && next <= kC1Last) {
      escaped += AsHex(byte) + AsHex(next);
      ++i;
    } else if (byte < ' ' || byte == kDelete) {
      escaped += Escape(byte);
    } else {
      escaped += text[i];
    }
  }
  return escaped;
}

}  // namespace percept::cli
