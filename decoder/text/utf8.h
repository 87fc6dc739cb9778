// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace percept {

// U+FFFD.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

enum class Utf8State { kComplete, kUnfinished, kInvalid };

struct Utf8Prefix {
  Utf8State state = Utf8State::kInvalid;
  size_t num_bytes = 0;  // of the code point, if complete
};

// What a non-empty text begins with: a code point, the beginning of one that more bytes could complete, or a byte that
// can begin none.
Utf8Prefix ReadUtf8(std::string_view text);

// Appends text with U+FFFD in the place of each byte that belongs to no code point.
void AppendRepaired(std::string_view text, std::string* out);

// Without the white space at both ends (spec: prompt-and-files, section 3.2). text is UTF-8.
std::string_view TrimWhiteSpace(std::string_view text);
std::string_view TrimWhiteSpaceStart(std::string_view text);
std::string_view TrimWhiteSpaceEnd(std::string_view text);

}  // namespace percept
