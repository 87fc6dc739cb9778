// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace percept::cli {

// For a terminal: control characters, C1 ones in UTF-8 among them, as \n, \r, \t or \x1b; the rest as it is.
std::string Escaped(std::string_view text);

}  // namespace percept::cli
