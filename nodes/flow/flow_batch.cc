// SPDX-License-Identifier: Apache-2.0
//
//   some: { type: flow.batch, in: pick.out, size: 8, max_wait: 2s }
//
// Makes lists of so many packets, each at the time of its last one. What is left at the end of the stream, before a new
// epoch, or when its first packet has waited for `max_wait`, is a shorter list, marked partial. Errors pass by.
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "graph/node/registry.h"
#include "graph/node/state_account.h"
#include "graph/packet/packet_list.h"
#include "nodes/flow/outgoing.h"

namespace percept::nodes {
namespace {

class FlowBatch : public graph::Node {
 public:
  FlowBatch(size_t size, std::optional<graph::Duration> max_wait) : size_(size), max_wait_(max_wait) {}

  void Open(graph::NodeContext& context) override { kept_.emplace(context.state()); }

  graph::Process Process(graph::NodeContext& context) override {
    if (outgoing_.IsNew(context.inputs())) Take(context);
    if (!kept_->empty() && max_wait_ && context.Now() >= first_came_ + *max_wait_) MakeBatch(/*partial=*/true);
    return Send(context) ? graph::Process::kNeedInput : graph::Process::kHaveOutput;
  }

  graph::Process Flush(graph::NodeContext& context) override {
    if (!kept_->empty()) MakeBatch(/*partial=*/true);
    return Send(context) ? graph::Process::kFinished : graph::Process::kHaveOutput;
  }

  void Close() override { kept_.reset(); }

 private:
  void Take(graph::NodeContext& context) {
    const graph::InputSet& set = context.inputs();
    if (set.epoch() != epoch_ && !kept_->empty()) MakeBatch(/*partial=*/true);
    epoch_ = set.epoch();
    for (const graph::Packet& packet : set.All("in")) {
      if (packet.is_error()) {
        outgoing_.Add("out", packet);
        earliest_ = packet.timestamp().Next();
        continue;
      }
      if (kept_->empty()) first_came_ = context.Now();
      kept_->Push(packet);
      if (kept_->size() == size_) MakeBatch(/*partial=*/false);
    }
  }

  // When a list of what is kept would be sent: not before an error that has passed it.
  graph::Time ListTime() const { return std::max(kept_->back().timestamp(), earliest_); }

  void MakeBatch(bool partial) {
    graph::PacketList list;
    list.partial = partial;
    const graph::Time time = ListTime();
    graph::Origin origin = kept_->back().origin();
    while (!kept_->empty()) list.packets.push_back(kept_->Pop());
    outgoing_.Add("out", graph::MakeList(std::move(list), time).WithOrigin(std::move(origin)));
  }

  // True when all that was to be sent is gone.
  bool Send(graph::NodeContext& context) {
    if (!outgoing_.Send(context)) {
      context.HoldBounds(outgoing_.next_time());
      return false;
    }
    context.HoldBounds(kept_->empty() ? graph::Time::Max() : ListTime());
    if (!kept_->empty() && max_wait_) context.WakeAt(first_came_ + *max_wait_);
    return true;
  }

  const size_t size_;
  const std::optional<graph::Duration> max_wait_;
  std::optional<graph::KeptPackets> kept_;
  graph::Duration first_came_;  // of kept_, on the run clock
  graph::Time earliest_ = graph::Time::Min();
  Outgoing outgoing_;
  int64_t epoch_ = 0;
};

std::optional<graph::Duration> MaxWait(const graph::ParamValues& params) {
  return params.Has("max_wait") ? std::optional(params.Get<graph::Duration>("max_wait")) : std::nullopt;
}

graph::StateBound StateOf(const graph::ParamValues& params) {
  graph::StateBound bound{.items = params.Get<int64_t>("size")};
  if (params.Has("max_bytes")) bound.bytes = params.Get<int64_t>("max_bytes");
  return bound;
}

graph::Timing TimingOf(const graph::ParamValues& params) {
  return {.holds_items = params.Get<int64_t>("size"), .max_wait = MaxWait(params), .is_dated_last = true};
}

}  // namespace

void RegisterFlowBatch(graph::Registry* registry) {
  graph::Contract contract{
      .type = "flow.batch",
      .doc = "Makes lists of a number of packets.",
      .example = "some: { type: flow.batch, in: pick.out, size: 8, max_wait: 2s }",
      .inputs = {{.name = "in", .doc = "packets of any type"}},
      .outputs = {{.name = "out", .type = "$in[]", .doc = "lists of `size` packets", .many_per_time = true}},
      .params = {{.name = "size",
                  .type = graph::ParamType::kInt,
                  .doc = "packets in a list",
                  .required = true,
                  .min = 1,
                  .max = 100000},
                 {.name = "max_wait",
                  .type = graph::ParamType::kDuration,
                  .doc = "how long, on the run clock, the first packet of a list waits for the others; for ever where "
                         "it is not given",
                  .min = 0},
                 {.name = "max_bytes",
                  .type = graph::ParamType::kBytes,
                  .doc = "most that a list under way may keep in memory; its share of `limits: host_bytes`, if the "
                         "pipeline has that, where it is not given",
                  .min = 1}},
      .state_kind = graph::StateKind::kRebuild,
      .accepts_errors = true,
  };
  registry->Register({.contract = std::move(contract),
                      .make =
                          [](const graph::ParamValues& params, const graph::Services&) {
                            return std::make_unique<FlowBatch>(static_cast<size_t>(params.Get<int64_t>("size")),
                                                               MaxWait(params));
                          },
                      .state = StateOf,
                      .timing = TimingOf});
}

}  // namespace percept::nodes
