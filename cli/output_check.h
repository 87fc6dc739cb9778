// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace percept::cli {

// Throws ArgumentError, which names --output and the reason, where a file cannot be written or is one of the inputs
// ("-": standard input). Changes nothing.
void CheckOutput(const std::string& output, const std::vector<std::string>& inputs);

}  // namespace percept::cli
