// SPDX-License-Identifier: Apache-2.0
#include "graph/node/node.h"

namespace percept::graph {

void Node::Open(NodeContext&) {}
graph::Process Node::Flush(NodeContext&) { return Process::kFinished; }
void Node::Close() {}
void Node::Interrupt() {}
int64_t Node::Commit() {
  throw std::logic_error("its contract says that its output is appended, but it has no Commit");
}
std::string Node::SaveState() const {
  throw std::logic_error("its contract says that its state is saved, but it has no SaveState");
}
void Node::RestoreState(std::string_view) {
  throw std::logic_error("its contract says that its state is saved, but it has no RestoreState");
}

}  // namespace percept::graph
