// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace percept::graph {

// The names nearest to a mistyped one, for the end of a message: "; nearest: a, b" (at most three, best first), or all
// of them, "; valid: a, b", where none is near and there are at most `kMaxListed`, or "".
inline constexpr size_t kMaxListed = 12;
std::string NearestNames(const std::string& wrong, const std::vector<std::string>& valid);

}  // namespace percept::graph
