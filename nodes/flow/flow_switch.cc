// SPDX-License-Identifier: Apache-2.0
//
//   eye: { type: flow.switch, in: { day: color.out, night: infrared.out, control: light.out },
//          cases: [ { use: night, when: { field: lux, below: 5 } } ], otherwise: day }
//
// Hands on one of several streams of one type: of each set, at its time, the packet that the first case that holds
// names. Conditions look at the packet on `control`, or, where that is not connected, at the one on the first input.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "graph/node/condition.h"
#include "graph/node/nearest.h"
#include "graph/node/registry.h"
#include "nodes/flow/passing_node.h"

namespace percept::nodes {
namespace {

constexpr const char* kControl = "control";

struct Case {
  std::string use;
  graph::Condition when;
};

void RequireInput(const std::string& port, const graph::Position& position, const std::vector<std::string>& ports) {
  std::vector<std::string> valid;
  for (const std::string& each : ports) {
    if (each == port && port != kControl) return;
    if (each != kControl) valid.push_back(each);
  }
  throw graph::DefinitionError(position, "no input '" + port + "' to switch to" + graph::NearestNames(port, valid));
}

std::vector<Case> ReadCases(const graph::Value& cases) {
  std::vector<Case> read;
  for (const graph::Value& each : cases.items()) {
    graph::RefuseUnknownKeys(each, "a case", {"use", "when"});
    const graph::Value* use = each.Find("use");
    const graph::Value* when = each.Find("when");
    if (!use || !when) throw graph::DefinitionError(each.position(), "a case needs 'use' and 'when'");
    read.push_back({use->scalar(), graph::Condition::Parse(*when)});
  }
  if (read.empty()) throw graph::DefinitionError(cases.position(), "'cases' is empty");
  return read;
}

void Check(const graph::ParamValues& params, const std::vector<std::string>& ports) {
  const auto& cases = params.Get<graph::Value>("cases");
  ReadCases(cases);
  for (const graph::Value& each : cases.items()) RequireInput(each.Find("use")->scalar(), each.position(), ports);
  if (params.Has("otherwise")) {
    RequireInput(params.Get<std::string>("otherwise"), params.PositionOf("otherwise"), ports);
  }
}

class FlowSwitch : public graph::Node {
 public:
  FlowSwitch(std::vector<Case> cases, std::string otherwise)
      : cases_(std::move(cases)), otherwise_(std::move(otherwise)) {}

  graph::Process Process(graph::NodeContext& context) override {
    const graph::InputSet& set = context.inputs();
    if (set.empty()) return graph::Process::kNeedInput;
    if (set.epoch() != epoch_) {
      for (Case& each : cases_) each.when.Reset();
      epoch_ = set.epoch();
    }
    const std::string port = Choose(set);
    // A set that `need: any` let through may lack what was chosen.
    if (port.empty() || set.Get(port).empty()) return graph::Process::kNeedInput;
    // By a join that pairs packets of different times, one packet may be in several sets.
    context.Send("out", graph::Packet(set.Get(port)).WithTimestamp(set.time()));
    return graph::Process::kNeedInput;
  }

  std::string SaveState() const override {
    std::string state = WriteFrontNumbers({epoch_});
    for (const Case& each : cases_) state += each.when.SaveState();
    return state;
  }
  void RestoreState(std::string_view state) override {
    epoch_ = TakeFrontNumbers(state, 1).front();
    for (Case& each : cases_) each.when.RestoreState(state);
  }

 private:
  // "" for none. Every condition sees every packet: some of them remember.
  std::string Choose(const graph::InputSet& set) {
    const graph::Packet& control = set.Get(set.IsConnected(kControl) ? kControl : set.ports().front());
    if (control.empty()) return otherwise_;
    std::string chosen;
    for (Case& each : cases_) {
      const bool holds = each.when.Holds(control, set.time());
      if (holds && chosen.empty()) chosen = each.use;
    }
    return chosen.empty() ? otherwise_ : chosen;
  }

  std::vector<Case> cases_;
  const std::string otherwise_;
  int64_t epoch_ = 0;
};

}  // namespace

void RegisterFlowSwitch(graph::Registry* registry) {
  graph::Contract contract{
      .type = "flow.switch",
      .doc = "Hands on one of several streams of one type, chosen set by set.",
      .example =
          "eye: { type: flow.switch, in: { day: color.out, night: infrared.out, control: light.out }, "
          "cases: [ { use: night, when: { field: lux, below: 5 } } ], otherwise: day }",
      .dynamic_inputs = graph::DynamicInputs{.doc = "streams to choose from; `control`: what conditions look at",
                                             .control = kControl},
      .outputs = {{.name = "out", .type = "$in", .doc = "packets of the input that was chosen"}},
      .params = {{.name = "cases",
                  .type = graph::ParamType::kAny,
                  .doc = "list of { use: INPUT, when: CONDITION }; the first that holds decides",
                  .required = true},
                 {.name = "otherwise",
                  .type = graph::ParamType::kString,
                  .doc = "input to use where no case holds; nothing is sent where it is not given"}},
      .state_kind = graph::StateKind::kSaved,
  };
  registry->Register({.contract = std::move(contract),
                      .make =
                          [](const graph::ParamValues& params, const graph::Services&) {
                            return std::make_unique<FlowSwitch>(
                                ReadCases(params.Get<graph::Value>("cases")),
                                params.Has("otherwise") ? params.Get<std::string>("otherwise") : "");
                          },
                      .check = Check});
}

}  // namespace percept::nodes
