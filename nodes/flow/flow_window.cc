// SPDX-License-Identifier: Apache-2.0
//
//   win: { type: flow.window, in: { video: pick.video, audio: clip.audio }, duration: 30s }
//
// Cuts streams into windows of media time: a list of each input's packets, at the window's start. With a plain `in:`
// the output is `out`; with named inputs there is one of each name. A window that was cut short is marked partial.
// Errors in a window do not spoil it: they follow its list, each at its own time, once where windows overlap.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "graph/node/registry.h"
#include "graph/packet/packet_list.h"
#include "nodes/flow/outgoing.h"

namespace percept::nodes {
namespace {

constexpr const char* kOnlyInput = "in";
constexpr const char* kOnlyOutput = "out";

class FlowWindow : public graph::Node {
 public:
  explicit FlowWindow(graph::Duration hop) : hop_(hop) {}

  graph::Process Process(graph::NodeContext& context) override {
    const graph::InputSet& set = context.inputs();
    if (outgoing_.IsNew(set)) {
      for (const std::string& port : set.ports()) Add(set, port);
    }
    return outgoing_.Send(context) ? graph::Process::kNeedInput : graph::Process::kHaveOutput;
  }

 private:
  // The list of a port's packets, and its errors behind it.
  void Add(const graph::InputSet& set, const std::string& port) {
    const std::string output = port == kOnlyInput && set.ports().size() == 1 ? kOnlyOutput : port;
    graph::PacketList list;
    list.partial = set.partial();
    for (const graph::Packet& packet : set.All(port)) {
      if (!packet.is_error()) list.packets.push_back(packet);
    }
    graph::Time& free = free_[output];
    if (!list.packets.empty()) {
      const graph::Time time = std::max(set.time(), free);
      outgoing_.Add(output, graph::MakeList(std::move(list), time).WithDuration(set.duration()));
      free = time.Next();
    }
    for (const graph::Packet& error : set.All(port)) {
      if (!error.is_error() || BelongsToNext(set, error)) continue;
      const graph::Time time = std::max({error.timestamp(), set.time(), free});
      outgoing_.Add(output, graph::Packet(error).WithTimestamp(time));
      free = time.Next();
    }
  }

  // An error that the next window holds too, whose list is to go before it.
  bool BelongsToNext(const graph::InputSet& set, const graph::Packet& error) const {
    return set.duration() > hop_ && error.timestamp() - set.time() >= hop_;
  }

  const graph::Duration hop_;
  Outgoing outgoing_;
  std::map<std::string, graph::Time> free_;  // the first time after what each output was given
};

graph::Duration HopOf(const graph::ParamValues& params) {
  return params.Get<graph::Duration>(params.Has("hop") ? "hop" : "duration");
}

graph::JoinSpec Join(const graph::ParamValues& params) {
  graph::JoinSpec join;
  join.kind = graph::JoinKind::kWindow;
  join.duration = params.Get<graph::Duration>("duration");
  join.hop = HopOf(params);
  if (params.Has("max_wait")) join.max_wait = params.Get<graph::Duration>("max_wait");
  join.need_all = params.Get<std::string>("need") == "all";
  return join;
}

graph::Timing TimingOf(const graph::ParamValues& params) {
  graph::Timing timing;
  timing.holds_time = params.Get<graph::Duration>("duration");
  timing.interval = HopOf(params);
  return timing;
}

graph::StateBound State(const graph::ParamValues& params) {
  graph::StateBound bound;
  bound.bytes = params.Get<int64_t>("max_bytes");
  return bound;
}

}  // namespace

void RegisterFlowWindow(graph::Registry* registry) {
  graph::Contract contract{
      .type = "flow.window",
      .doc = "Cuts streams into windows of media time, each a list of packets.",
      .example = "win: { type: flow.window, in: { video: pick.video, audio: clip.audio }, duration: 30s }",
      .dynamic_inputs = graph::DynamicInputs{.doc = "what is cut, all at the same times"},
      .dynamic_outputs = graph::DynamicOutputs{.type = "$in[]", .doc = "the packets of a window"},
      .params = {{.name = "duration",
                  .type = graph::ParamType::kDuration,
                  .doc = "length of a window",
                  .required = true,
                  .min = 1e-6},
                 {.name = "hop",
                  .type = graph::ParamType::kDuration,
                  .doc = "from the start of one window to the start of the next; as long as a window where it is not "
                         "given",
                  .min = 1e-6},
                 {.name = "max_wait",
                  .type = graph::ParamType::kDuration,
                  .doc = "how long, on the run clock, a window waits for its inputs; for ever where it is not given",
                  .min = 0},
                 graph::ParamDecl{.name = "need",
                                  .type = graph::ParamType::kEnum,
                                  .doc = "whether a window without packets on one of the inputs is left out",
                                  .values = {"all", "any"}}
                     .Default("all"),
                 graph::ParamDecl{.name = "max_bytes",
                                  .type = graph::ParamType::kBytes,
                                  .doc = "most that the windows under way may keep in memory",
                                  .min = 1}
                     .Default("1GiB")},
      .accepts_errors = true,
  };
  registry->Register({.contract = std::move(contract),
                      .make = [](const graph::ParamValues& params,
                                 const graph::Services&) { return std::make_unique<FlowWindow>(HopOf(params)); },
                      .state = State,
                      .join = Join,
                      .timing = TimingOf});
}

}  // namespace percept::nodes
