// SPDX-License-Identifier: Apache-2.0
#include "graph/node/node.h"

namespace percept::graph {

void Node::Open(NodeContext&) {}
graph::Process Node::Flush(NodeContext&) { return Process::kFinished; }
void Node::Close() {}

}  // namespace percept::graph
