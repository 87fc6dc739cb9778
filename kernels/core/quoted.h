// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace percept {

// Words that a file holds, as a message shows them: cut after 200 bytes, and with escapes in the place of what is no
// UTF-8 and of control characters, which a terminal would obey.
std::string Shown(std::string_view text);

// The same in single quotes.
std::string Quoted(std::string_view text);

}  // namespace percept
