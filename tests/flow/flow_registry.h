// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nodes/flow/register_flow_nodes.h"
#include "tests/support/text_nodes.h"

namespace percept::nodes {

void RegisterSourceScript(graph::Registry* registry);

// The nodes that need nothing but the graph, which this program is built of.
inline graph::Registry FlowRegistry() {
  graph::Registry registry;
  RegisterTextNodes(registry);
  RegisterSourceScript(&registry);
  RegisterFlowNodes(&registry);
  return registry;
}

}  // namespace percept::nodes
