// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace percept {

// U+2581, which stands for a space in pieces.
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

}  // namespace percept
