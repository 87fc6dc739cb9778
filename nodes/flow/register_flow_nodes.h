// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "graph/node/registry.h"

namespace percept::nodes {

// The nodes that work on packets of any payload: all of nodes/flow.
void RegisterFlowNodes(graph::Registry* registry);

}  // namespace percept::nodes
