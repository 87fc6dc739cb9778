// SPDX-License-Identifier: Apache-2.0
//
//   people: { type: flow.filter, in: look.out, when: { field: person, is: true, for: 2s } }
//
// Hands on the packets that the condition holds for.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "graph/node/condition.h"
#include "nodes/flow/passing_node.h"

namespace percept::nodes {
namespace {

class FlowFilter : public PassingNode {
 public:
  explicit FlowFilter(graph::Condition when) : when_(std::move(when)) {}

 private:
  Answer Judge(graph::NodeContext& /*context*/, const graph::Packet& packet) override {
    return when_.Holds(packet, packet.timestamp()) ? Answer::kPass : Answer::kDrop;
  }
  void Reset() override { when_.Reset(); }
  std::string Save() const override { return when_.SaveState(); }
  void Restore(std::string_view state) override { when_.RestoreState(state); }

  graph::Condition when_;
};

}  // namespace

void RegisterFlowFilter(graph::Registry* registry) {
  graph::Contract contract{
      .type = "flow.filter",
      .doc = "Hands on the packets that a condition holds for.",
      .example = "people: { type: flow.filter, in: look.out, when: { field: person, is: true, for: 2s } }",
      .inputs = {AnyInput()},
      .outputs = {SameOutput("packets that `when` holds for")},
      .params = {{.name = "when",
                  .type = graph::ParamType::kAny,
                  .doc = "condition on fields of the packet",
                  .required = true}},
      .state_kind = graph::StateKind::kSaved,
  };
  registry->Register(
      {.contract = std::move(contract),
       .make =
           [](const graph::ParamValues& params, const graph::Services&) {
             return std::make_unique<FlowFilter>(graph::Condition::Parse(params.Get<graph::Value>("when")));
           },
       .check = [](const graph::ParamValues& params,
                   const std::vector<std::string>&) { graph::Condition::Parse(params.Get<graph::Value>("when")); },
       .timing = [](const graph::ParamValues&) { return graph::Timing{.is_selective = true}; }});
}

}  // namespace percept::nodes
