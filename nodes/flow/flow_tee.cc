// SPDX-License-Identifier: Apache-2.0
//
//   all: { type: flow.tee, in: clip.video }
//
// Gives a stream a name of its own: every packet goes on as it is, to as many readers as there are. Any output may have
// several readers; a tee is one place to hang them on, and to move them with one edit.
#include <memory>

#include "nodes/flow/passing_node.h"

namespace percept::nodes {
namespace {

class FlowTee : public PassingNode {
  Answer Judge(graph::NodeContext& /*context*/, const graph::Packet& /*packet*/) override { return Answer::kPass; }
};

}  // namespace

void RegisterFlowTee(graph::Registry* registry) {
  graph::Contract contract{
      .type = "flow.tee",
      .doc = "Hands every packet on: a name for a stream that several nodes read.",
      .example = "all: { type: flow.tee, in: clip.video }",
      .inputs = {AnyInput()},
      .outputs = {SameOutput("every packet of `in`")},
  };
  registry->Register(std::move(contract),
                     [](const graph::ParamValues&, const graph::Services&) { return std::make_unique<FlowTee>(); });
}

}  // namespace percept::nodes
