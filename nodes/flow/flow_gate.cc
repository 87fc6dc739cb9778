// SPDX-License-Identifier: Apache-2.0
//
//   seen: { type: flow.gate, in: { in: clip.video, control: look.out }, when: { field: person, is: true } }
//
// Hands on the packets of `in` while the condition holds for the newest packet of `control`. With `sync: settled` that
// is the newest in media time, the packet's own time included: the same in every run, and packets wait until `control`
// has got so far, `max_wait` at most. With `sync: latest` it is the newest that has come: nothing waits.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/node/condition.h"
#include "graph/node/registry.h"
#include "graph/queue/join_spec.h"
#include "nodes/flow/passing_node.h"

namespace percept::nodes {
namespace {

class FlowGate : public graph::Node {
 public:
  FlowGate(graph::Condition when, bool is_open) : when_(std::move(when)), is_open_(is_open) {}

  graph::Process Process(graph::NodeContext& context) override {
    const graph::InputSet& set = context.inputs();
    if (set.empty()) return graph::Process::kNeedInput;
    LookAt(set.All("control"));
    const auto packets = set.All("in");
    for (; is_open_ && num_sent_ < packets.size(); ++num_sent_) {
      if (!context.CanSend("out")) return graph::Process::kHaveOutput;
      context.Send("out", packets[num_sent_]);
    }
    num_sent_ = 0;
    return graph::Process::kNeedInput;
  }

  std::string SaveState() const override { return WriteFrontNumbers({is_open_ ? 1 : 0, epoch_}) + when_.SaveState(); }
  void RestoreState(std::string_view state) override {
    const std::vector<int64_t> numbers = TakeFrontNumbers(state, 2);
    is_open_ = numbers[0] != 0;
    epoch_ = numbers[1];
    when_.RestoreState(state);
  }

 private:
  // The same packet comes again with each set of a latest join until there is a newer one, and with each call for a
  // set.
  void LookAt(std::span<const graph::Packet> controls) {
    for (const graph::Packet& control : controls) {
      if (control.sequence() < next_sequence_) continue;
      if (control.origin().epoch != epoch_) when_.Reset();
      epoch_ = control.origin().epoch;
      next_sequence_ = control.sequence() + 1;
      is_open_ = when_.Holds(control, control.timestamp());
    }
  }

  graph::Condition when_;
  bool is_open_;
  int64_t epoch_ = 0;           // of control
  uint64_t next_sequence_ = 0;  // of control
  size_t num_sent_ = 0;         // of the set
};

graph::JoinSpec Join(const graph::ParamValues& params) {
  const bool is_latest = params.Get<std::string>("sync") == "latest";
  graph::JoinSpec join{.kind = is_latest ? graph::JoinKind::kLatest : graph::JoinKind::kSettled, .need_all = false};
  if (params.Has("max_wait")) join.max_wait = params.Get<graph::Duration>("max_wait");
  return join;
}

}  // namespace

void RegisterFlowGate(graph::Registry* registry) {
  graph::Contract contract{
      .type = "flow.gate",
      .doc = "Hands packets on while a condition holds for another stream.",
      .example =
          "seen: { type: flow.gate, in: { in: clip.video, control: look.out }, when: { field: person, is: true } }",
      .inputs = {AnyInput(), {.name = "control", .types = {}, .doc = "what the condition looks at"}},
      .outputs = {SameOutput("packets of `in` that came while the gate was open")},
      .params = {{.name = "when",
                  .type = graph::ParamType::kAny,
                  .doc = "condition on fields of `control`: open where it holds",
                  .required = true},
                 graph::ParamDecl{.name = "initially",
                                  .type = graph::ParamType::kEnum,
                                  .doc = "until the first packet of `control`",
                                  .values = {"closed", "open"}}
                     .Default("closed"),
                 graph::ParamDecl{.name = "sync",
                                  .type = graph::ParamType::kEnum,
                                  .doc = "settled: by media time; latest: by what has come",
                                  .values = {"settled", "latest"}}
                     .Default("settled"),
                 {.name = "max_wait",
                  .type = graph::ParamType::kDuration,
                  .doc = "how long, on the run clock, a packet waits for a `control` that says nothing; for ever where "
                         "it is not given",
                  .min = 0}},
      .state_kind = graph::StateKind::kSaved,
  };
  registry->Register(
      {.contract = std::move(contract),
       .make =
           [](const graph::ParamValues& params, const graph::Services&) {
             return std::make_unique<FlowGate>(graph::Condition::Parse(params.Get<graph::Value>("when")),
                                               params.Get<std::string>("initially") == "open");
           },
       .check = [](const graph::ParamValues& params,
                   const std::vector<std::string>&) { graph::Condition::Parse(params.Get<graph::Value>("when")); },
       .join = Join,
       .timing = [](const graph::ParamValues&) { return graph::Timing{.is_selective = true}; }});
}

}  // namespace percept::nodes
