// SPDX-License-Identifier: Apache-2.0
//
//   few: { type: flow.limit, in: clip.video, count: 100 }
//   minute: { type: flow.limit, in: clip.video, time: 1min }
//
// Hands on the beginning of a stream and then ends: so many packets, or those of so much media time from the first one
// on, whichever is over first. Both go on across epochs; errors do not count.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "nodes/flow/passing_node.h"

namespace percept::nodes {
namespace {

class FlowLimit : public PassingNode {
 public:
  explicit FlowLimit(const graph::ParamValues& params) {
    if (params.Has("count")) count_ = params.Get<int64_t>("count");
    if (params.Has("time")) time_ = params.Get<graph::Duration>("time");
  }

 private:
  Answer Judge(graph::NodeContext& /*context*/, const graph::Packet& packet) override {
    if (!first_) first_ = packet.timestamp();
    if (time_ && packet.timestamp() - *first_ >= *time_) return Answer::kEnd;
    ++num_passed_;
    return num_passed_ == count_ ? Answer::kPassLast : Answer::kPass;
  }

  std::string Save() const override { return first_ ? WriteNumbers({num_passed_, first_->nanoseconds()}) : ""; }
  void Restore(std::string_view state) override {
    if (state.empty()) return;
    const std::vector<int64_t> numbers = ReadNumbers(state, 2);
    num_passed_ = numbers[0];
    first_ = graph::Time::Nanoseconds(numbers[1]);
  }

  std::optional<int64_t> count_;
  std::optional<graph::Duration> time_;
  int64_t num_passed_ = 0;
  std::optional<graph::Time> first_;
};

}  // namespace

void RegisterFlowLimit(graph::Registry* registry) {
  graph::Contract contract{
      .type = "flow.limit",
      .doc = "Hands on the beginning of a stream, then ends.",
      .example = "few: { type: flow.limit, in: clip.video, count: 100 }",
      .inputs = {AnyInput()},
      .outputs = {SameOutput("the first packets of `in`")},
      .params = {{.name = "count", .type = graph::ParamType::kInt, .doc = "so many packets", .min = 1},
                 {.name = "time",
                  .type = graph::ParamType::kDuration,
                  .doc = "so much media time, from the first packet on",
                  .min = 1e-9}},
      .state_kind = graph::StateKind::kSaved,
  };
  registry->Register(
      std::move(contract),
      [](const graph::ParamValues& params, const graph::Services&) { return std::make_unique<FlowLimit>(params); },
      [](const graph::ParamValues& params, const std::vector<std::string>&) {
        if (!params.Has("count") && !params.Has("time")) {
          throw graph::DefinitionError({}, "needs 'count', 'time' or both");
        }
      });
}

}  // namespace percept::nodes
