// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "decoder/text/tool.h"

namespace percept {

// Stands for the token <|"|> in the words of a call: a byte that no text holds.
inline constexpr char kStringMark = '\xFF';

// Reads what a model wrote between <|tool_call> and <tool_call|> (spec: prompt-and-files, section 8.2), with the slips
// that models make: brackets and string marks left out at the end, a string without its first mark or in ordinary
// quotes, bare words, None and nil. Nothing where even so it is no call. The name is the caller's to compare with the
// tools there are.
std::optional<ToolCall> ReadToolCall(std::string_view words);

}  // namespace percept
