// SPDX-License-Identifier: Apache-2.0
#include "nodes/register_nodes.h"

#include "nodes/flow/register_flow_nodes.h"

namespace percept::nodes {

// The only list of node types beside those of nodes/flow: name it here, define it in the node's own file.
#define PERCEPT_NODES(X) \
  X(AppSource)           \
  X(AppSink)             \
  X(ImageFile)           \
  X(AudioFile)           \
  X(SourceScript)        \
  X(EncodeVision)        \
  X(EncodeAudio)         \
  X(DecodeGemma4)        \
  X(SinkText)            \
  X(SinkJsonl)

#define DECLARE(name) void Register##name(graph::Registry* registry);
PERCEPT_NODES(DECLARE)
#undef DECLARE

void RegisterNodes(graph::Registry* registry) {
#define REGISTER(name) Register##name(registry);
  PERCEPT_NODES(REGISTER)
#undef REGISTER
  RegisterFlowNodes(registry);
}

}  // namespace percept::nodes
