// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "graph/node/value.h"

namespace percept::graph {

// The one document of a YAML text, every piece with its position. Throws DefinitionError: not YAML, more or less than
// one document, a key twice in one map, a key that is not a scalar, an anchor or alias (a file says what it means in
// place).
Value ReadYaml(const std::string& text, const std::string& file_name);

}  // namespace percept::graph
