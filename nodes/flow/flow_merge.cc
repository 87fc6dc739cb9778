// SPDX-License-Identifier: Apache-2.0
//
//   all: { type: flow.merge, in: { north: north.frames, south: south.frames } }
//
// One stream of several: packets of one time in the order of the inputs. An input that is silent holds the others back
// for no longer than `max_wait`.
#include <memory>
#include <optional>
#include <vector>

#include "graph/node/registry.h"
#include "nodes/flow/outgoing.h"

namespace percept::nodes {
namespace {

class FlowMerge : public graph::Node {
 public:
  graph::Process Process(graph::NodeContext& context) override {
    const graph::InputSet& set = context.inputs();
    if (outgoing_.IsNew(set)) {
      for (const std::string& port : set.ports()) {
        for (const graph::Packet& packet : set.All(port)) outgoing_.Add("out", packet);
      }
    }
    return outgoing_.Send(context) ? graph::Process::kNeedInput : graph::Process::kHaveOutput;
  }

 private:
  Outgoing outgoing_;
};

graph::JoinSpec Join(const graph::ParamValues& params) {
  graph::JoinSpec join;
  join.need_all = false;
  if (params.Has("max_wait")) join.max_wait = params.Get<graph::Duration>("max_wait");
  return join;
}

}  // namespace

void RegisterFlowMerge(graph::Registry* registry) {
  graph::Contract contract{
      .type = "flow.merge",
      .doc = "Makes one stream of several of one type, in the order of time.",
      .example = "all: { type: flow.merge, in: { north: north.frames, south: south.frames } }",
      .dynamic_inputs = graph::DynamicInputs{.doc = "streams of one type", .grows = true, .type_param = "of"},
      .outputs = {{.name = "out",
                   .type = "$in",
                   .doc = "the packets of all inputs",
                   .many_per_time = true,
                   .type_param = "of"}},
      .params = {{.name = "of",
                  .doc = "type of the payloads; to be given where no input says it, as all are added while the graph "
                         "runs"},
                 {.name = "max_wait",
                  .type = graph::ParamType::kDuration,
                  .doc = "how long, on the run clock, a packet waits for inputs that say nothing; for ever where it is "
                         "not given",
                  .min = 0}},
      .accepts_errors = true,
  };
  registry->Register(
      {.contract = std::move(contract),
       .make = [](const graph::ParamValues&, const graph::Services&) { return std::make_unique<FlowMerge>(); },
       .join = Join});
}

}  // namespace percept::nodes
