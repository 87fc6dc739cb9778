// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/node/registry.h"

namespace percept::nodes {

// Adds every node type of this project.
void RegisterNodes(graph::Registry* registry);

}  // namespace percept::nodes
