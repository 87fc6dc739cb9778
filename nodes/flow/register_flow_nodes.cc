// SPDX-License-Identifier: Apache-2.0
#include "nodes/flow/register_flow_nodes.h"

namespace percept::nodes {

// The only list of flow nodes: name it here, define it in the node's own file.
#define PERCEPT_FLOW_NODES(X) \
  X(FlowBatch)                \
  X(FlowFilter)               \
  X(FlowGate)                 \
  X(FlowLimit)                \
  X(FlowMerge)                \
  X(FlowSample)               \
  X(FlowSwitch)               \
  X(FlowTee)                  \
  X(FlowThrottle)             \
  X(FlowWindow)

#define DECLARE(name) void Register##name(graph::Registry* registry);
PERCEPT_FLOW_NODES(DECLARE)
#undef DECLARE

void RegisterFlowNodes(graph::Registry* registry) {
#define REGISTER(name) Register##name(registry);
  PERCEPT_FLOW_NODES(REGISTER)
#undef REGISTER
}

}  // namespace percept::nodes
