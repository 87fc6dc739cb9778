// SPDX-License-Identifier: Apache-2.0
//
//   calm: { type: flow.throttle, in: look.out, interval: 1s }
//
// Hands on at most one packet each `interval` of the run clock; what comes sooner is dropped. For what goes out of the
// machine: messages, alarms. The first packet of an epoch always goes on. flow.sample thins by media time and is the
// same in every run.
#include <memory>
#include <optional>

#include "nodes/flow/passing_node.h"

namespace percept::nodes {
namespace {

class FlowThrottle : public PassingNode {
 public:
  explicit FlowThrottle(graph::Duration interval) : interval_(interval) {}

 private:
  Answer Judge(graph::NodeContext& context, const graph::Packet& /*packet*/) override {
    const graph::Duration now = context.Now();
    if (last_ && now - *last_ < interval_) return Answer::kDrop;
    last_ = now;
    return Answer::kPass;
  }
  void Reset() override { last_.reset(); }

  const graph::Duration interval_;
  std::optional<graph::Duration> last_;  // when a packet went on, on the run clock
};

}  // namespace

void RegisterFlowThrottle(graph::Registry* registry) {
  graph::Contract contract{
      .type = "flow.throttle",
      .doc = "Hands on at most one packet each so much time of the run clock.",
      .example = "calm: { type: flow.throttle, in: look.out, interval: 1s }",
      .inputs = {AnyInput()},
      .outputs = {SameOutput("packets that are far enough apart")},
      .params = {{.name = "interval",
                  .type = graph::ParamType::kDuration,
                  .doc = "on the run clock, from one packet to the next",
                  .required = true,
                  .min = 1e-9}},
  };
  registry->Register({.contract = std::move(contract),
                      .make =
                          [](const graph::ParamValues& params, const graph::Services&) {
                            return std::make_unique<FlowThrottle>(params.Get<graph::Duration>("interval"));
                          },
                      .timing = [](const graph::ParamValues&) { return graph::Timing{.is_selective = true}; }});
}

}  // namespace percept::nodes
