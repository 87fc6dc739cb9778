// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace percept {

// The exception being handled, in words, for the terminal call of a request.
std::string CurrentFailureText();

}  // namespace percept
