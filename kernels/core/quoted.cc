// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/quoted.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace percept {
namespace {

constexpr size_t kMaxShown_bytes = 200;

// Bytes of the character that `text` begins with; 0 where it is none that may be shown.
size_t ShownCharacter(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte(0) < 0x80) return byte(0) >= 0x20 && byte(0) != 0x7F ? 1 : 0;
  const size_t size = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  const bool is_control = byte(0) == 0xC2 && byte(1) < 0xA0;
  return is_control ? 0 : size;
}

std::string Escaped(char byte) {
  if (byte == '\n') return "\\n";
  if (byte == '\t') return "\\t";
  constexpr char kDigits[] = "0123456789ABCDEF";
  const auto value = static_cast<uint8_t>(byte);
  return {'\\', 'x', kDigits[value / 16], kDigits[value % 16]};
}

}  // namespace

std::string Shown(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    if (shown.size() >= kMaxShown_bytes) return shown + "…";
    const size_t size = ShownCharacter(text);
    if (size > 0) {
      shown += text.substr(0, size);
    } else {
      shown += Escaped(text.front());
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return shown;
}

std::string Quoted(std::string_view text) { return "'" + Shown(text) + "'"; }

}  // namespace percept
