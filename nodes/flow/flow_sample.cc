// SPDX-License-Identifier: Apache-2.0
//
//   pick: { type: flow.sample, in: clip.video, every: 2s }
//   tenth: { type: flow.sample, in: clip.video, nth: 10 }
//
// Hands on some packets of a stream, the first of each epoch among them: the first at or after each `every` of media
// time, counted from that one; or one out of each `nth`.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "nodes/flow/passing_node.h"

namespace percept::nodes {
namespace {

class FlowSample : public PassingNode {
 public:
  explicit FlowSample(const graph::ParamValues& params) {
    if (params.Has("every")) every_ns_ = params.Get<graph::Duration>("every").nanoseconds();
    if (params.Has("nth")) nth_ = params.Get<int64_t>("nth");
  }

 private:
  Answer Judge(graph::NodeContext& /*context*/, const graph::Packet& packet) override {
    if (every_ns_ == 0) return num_seen_++ % nth_ == 0 ? Answer::kPass : Answer::kDrop;
    const graph::Time time = packet.timestamp();
    if (!first_) first_ = time;
    const int64_t step = (time - *first_).nanoseconds() / every_ns_;
    if (step == last_step_) return Answer::kDrop;
    last_step_ = step;
    return Answer::kPass;
  }

  void Reset() override {
    num_seen_ = 0;
    first_.reset();
    last_step_ = -1;
  }

  std::string Save() const override {
    if (every_ns_ == 0) return WriteNumbers({num_seen_});
    return first_ ? WriteNumbers({first_->nanoseconds(), last_step_}) : "";
  }
  void Restore(std::string_view state) override {
    if (state.empty()) return;
    const std::vector<int64_t> numbers = ReadNumbers(state, every_ns_ == 0 ? 1 : 2);
    if (every_ns_ == 0) {
      num_seen_ = numbers[0];
      return;
    }
    first_ = graph::Time::Nanoseconds(numbers[0]);
    last_step_ = numbers[1];
  }

  int64_t every_ns_ = 0;  // 0: by number
  int64_t nth_ = 1;
  int64_t num_seen_ = 0;              // of this epoch
  std::optional<graph::Time> first_;  // of this epoch
  int64_t last_step_ = -1;            // of `every`, that a packet was handed on in
};

void Check(const graph::ParamValues& params, const std::vector<std::string>& /*ports*/) {
  if (params.Has("every") && params.Has("nth")) {
    throw graph::DefinitionError(params.PositionOf("nth"),
                                 "'nth' and 'every' both say which packets go on: leave one out");
  }
  if (!params.Has("every") && !params.Has("nth")) throw graph::DefinitionError({}, "needs 'every' or 'nth'");
}

}  // namespace

void RegisterFlowSample(graph::Registry* registry) {
  graph::Contract contract{
      .type = "flow.sample",
      .doc = "Hands on a packet each so much media time, or each so many.",
      .example = "pick: { type: flow.sample, in: clip.video, every: 2s }",
      .inputs = {AnyInput()},
      .outputs = {SameOutput("the packets picked")},
      .params = {{.name = "every",
                  .type = graph::ParamType::kDuration,
                  .doc = "media time from one packet to the next",
                  .min = 1e-9},
                 {.name = "nth", .type = graph::ParamType::kInt, .doc = "one packet out of so many", .min = 1}},
      .state_kind = graph::StateKind::kSaved,
  };
  registry->Register({.contract = std::move(contract),
                      .make = [](const graph::ParamValues& params,
                                 const graph::Services&) { return std::make_unique<FlowSample>(params); },
                      .check = Check,
                      .timing =
                          [](const graph::ParamValues& params) {
                            graph::Timing timing;
                            if (params.Has("every")) timing.interval = params.Get<graph::Duration>("every");
                            if (params.Has("nth")) timing.takes_items = params.Get<int64_t>("nth");
                            return timing;
                          }});
}

}  // namespace percept::nodes
