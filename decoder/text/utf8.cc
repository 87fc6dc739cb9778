// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/utf8.h"

#include <utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace percept {
namespace {

struct LeadByte {
  size_t num_bytes = 0;       // 0: begins no code point
  uint8_t second_min = 0x80;  // the second byte's range keeps out overlong forms, surrogates and what is above U+10FFFF
  uint8_t second_max = 0xBF;
};

LeadByte Lead(uint8_t byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2 || byte > 0xF4) return {0};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {4};
}

bool IsWhiteSpace(char32_t code) {
  if (code >= 0x09 && code <= 0x0D) return true;
  if (code >= 0x1C && code <= 0x20) return true;
  if (code >= 0x2000 && code <= 0x200A) return true;
  constexpr std::array<char32_t, 8> kOthers = {0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  return std::find(kOthers.begin(), kOthers.end(), code) != kOthers.end();
}

}  // namespace

Utf8Prefix ReadUtf8(std::string_view text) {
  const LeadByte lead = Lead(static_cast<uint8_t>(text[0]));
  if (lead.num_bytes == 0) return {Utf8State::kInvalid, 0};
  for (size_t i = 1; i < lead.num_bytes; ++i) {
    if (i == text.size()) return {Utf8State::kUnfinished, 0};
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    const uint8_t min = i == 1 ? lead.second_min : 0x80;
    const uint8_t max = i == 1 ? lead.second_max : 0xBF;
    if (byte < min || byte > max) return {Utf8State::kInvalid, 0};
  }
  return {Utf8State::kComplete, lead.num_bytes};
}

void AppendRepaired(std::string_view text, std::string* out) {
  while (!text.empty()) {
    const auto bad = utf8::find_invalid(text.begin(), text.end());
    const size_t num_valid = static_cast<size_t>(bad - text.begin());
    out->append(text.substr(0, num_valid));
    if (num_valid == text.size()) return;
    out->append(kReplacementCharacter);
    text.remove_prefix(num_valid + 1);
  }
}

std::string_view TrimWhiteSpaceStart(std::string_view text) {
  const char* begin = text.data();
  const char* const end = begin + text.size();
  while (begin != end) {
    const char* next = begin;
    if (!IsWhiteSpace(utf8::unchecked::next(next))) break;
    begin = next;
  }
  return {begin, static_cast<size_t>(end - begin)};
}

std::string_view TrimWhiteSpaceEnd(std::string_view text) {
  const char* const begin = text.data();
  const char* end = begin + text.size();
  while (begin != end) {
    const char* previous = end;
    if (!IsWhiteSpace(utf8::unchecked::prior(previous))) break;
    end = previous;
  }
  return {begin, static_cast<size_t>(end - begin)};
}

std::string_view TrimWhiteSpace(std::string_view text) { return TrimWhiteSpaceEnd(TrimWhiteSpaceStart(text)); }

}  // namespace percept
