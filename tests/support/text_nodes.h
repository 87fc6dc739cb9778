// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "graph/node/registry.h"
#include "graph/packet/packet_list.h"
#include "nodes/payload/text.h"
#include "tests/support/recorder.h"

// Small nodes for pipelines of texts: they are slow, fail, keep too much; and a sink that records.

// "a", "[a b]", "[a b] partial".
inline std::string DescribePayload(const percept::graph::Packet& packet) {
  if (packet.Is<percept::nodes::Text>()) return packet.Get<percept::nodes::Text>().text;
  const auto& list = packet.Get<percept::graph::PacketList>();
  std::string texts;
  for (const percept::graph::Packet& each : list.packets) texts += (texts.empty() ? "" : " ") + DescribePayload(each);
  return "[" + texts + "]" + (list.partial ? " partial" : "");
}

// "0.01s a", "0.01s a epoch 1", "0.01s bad_input from 'read': cut short (b.png)".
inline std::string DescribeRecord(const percept::graph::Packet& packet) {
  std::string line = packet.timestamp().ToString() + " ";
  if (packet.is_error()) {
    const auto& error = packet.Get<percept::graph::ErrorPayload>();
    line += std::string(percept::graph::ToString(error.kind)) + " from '" + error.node + "': " + error.reason;
    if (!packet.item_label().empty()) line += " (" + packet.item_label() + ")";
  } else {
    line += DescribePayload(packet);
  }
  const int64_t epoch = packet.origin().epoch;
  return epoch == 0 ? line : line + " epoch " + std::to_string(epoch);
}

// Writes every packet, errors too, to the Recorder.
class RecordTexts : public percept::graph::Node {
 public:
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    for (const percept::graph::Packet& packet : context.inputs().All("in")) {
      context.services().Get<Recorder>().Add(context.name(), DescribeRecord(packet));
    }
    return percept::graph::Process::kNeedInput;
  }
};

// Joins the texts of its inputs with `+`; a missing one is `-`.
class JoinTexts : public percept::graph::Node {
 public:
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    std::string text;
    for (const std::string& port : context.inputs().ports()) {
      const percept::graph::Packet& packet = context.inputs().Get(port);
      text += (text.empty() ? "" : "+") + (packet.empty() ? "-" : DescribePayload(packet));
    }
    context.Send(
        "out", percept::graph::Packet::Make(percept::nodes::Text{.text = text, .fields = {}}, context.inputs().time()));
    return percept::graph::Process::kNeedInput;
  }
};

// Sends how many packets a list has: "30", "10 partial".
class CountTexts : public percept::graph::Node {
 public:
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    const percept::graph::Packet& in = context.inputs().Get("in");
    const auto& list = in.Get<percept::graph::PacketList>();
    const std::string text = std::to_string(list.packets.size()) + (list.partial ? " partial" : "");
    context.Send("out", percept::graph::Packet::Make(percept::nodes::Text{.text = text, .fields = {}}, in.timestamp()));
    return percept::graph::Process::kNeedInput;
  }
};

// Sends each text on after `wait` of the run clock.
class SlowTexts : public percept::graph::Node {
 public:
  explicit SlowTexts(percept::graph::Duration wait) : wait_(wait) {}
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    if (context.inputs().empty()) return percept::graph::Process::kNeedInput;
    if (!ready_at_) ready_at_ = context.Now() + wait_;
    if (context.Now() < *ready_at_) {
      context.WakeAt(*ready_at_);
      return percept::graph::Process::kBlocked;
    }
    ready_at_.reset();
    context.Send("out", context.inputs().Get("in"));
    return percept::graph::Process::kNeedInput;
  }

 private:
  const percept::graph::Duration wait_;
  std::optional<percept::graph::Duration> ready_at_;
};

// Throws for each so many texts; sends the others on.
class FailTexts : public percept::graph::Node {
 public:
  explicit FailTexts(int64_t every) : every_(every) {}
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    if (context.inputs().empty()) return percept::graph::Process::kNeedInput;
    if (++num_seen_ % every_ == 0) throw std::runtime_error("cannot do it");
    context.Send("out", context.inputs().Get("in"));
    return percept::graph::Process::kNeedInput;
  }

 private:
  const int64_t every_;
  int64_t num_seen_ = 0;
};

// Keeps every text for good.
class CacheTexts : public percept::graph::Node {
 public:
  void Open(percept::graph::NodeContext& context) override { kept_.emplace(context.state()); }
  percept::graph::Process Process(percept::graph::NodeContext& context) override {
    if (!context.inputs().empty()) kept_->Push(context.inputs().Get("in"));
    return percept::graph::Process::kNeedInput;
  }
  void Close() override { kept_.reset(); }

 private:
  std::optional<percept::graph::KeptPackets> kept_;
};

// A disk with room for so many texts.
class DiskTexts : public percept::graph::Node {
 public:
  explicit DiskTexts(int64_t room) : room_(room) {}
  percept::graph::Process Process(percept::graph::NodeContext& /*context*/) override {
    if (room_-- == 0) throw std::system_error(ENOSPC, std::generic_category(), "out.txt");
    return percept::graph::Process::kNeedInput;
  }

 private:
  int64_t room_;
};

inline percept::graph::Contract TextContract(const std::string& type, bool has_output) {
  percept::graph::Contract contract;
  contract.type = type;
  contract.doc = "A node for tests.";
  contract.example = "node: { type: " + type + ", in: read }";
  contract.inputs = {{.name = "in", .types = {}, .doc = "Texts."}};
  if (has_output) contract.outputs = {{.name = "out", .type = "$in", .doc = "Texts."}};
  return contract;
}

inline void RegisterTextNodes(percept::graph::Registry& registry) {
  using namespace percept::graph;
  Contract record = TextContract("sink.record", false);
  record.accepts_errors = true;
  registry.Register(record, [](const ParamValues&, const Services&) { return std::make_unique<RecordTexts>(); });
  Contract join = TextContract("text.join", true);
  join.inputs.clear();
  join.dynamic_inputs = DynamicInputs{.types = {}, .doc = "Texts or lists."};
  join.outputs[0].type = "Text";
  registry.Register(join, [](const ParamValues&, const Services&) { return std::make_unique<JoinTexts>(); });
  Contract count = TextContract("text.count", true);
  count.outputs[0].type = "Text";
  registry.Register(count, [](const ParamValues&, const Services&) { return std::make_unique<CountTexts>(); });
  Contract slow = TextContract("text.slow", true);
  slow.params = {{.name = "wait", .type = ParamType::kDuration, .doc = "For each.", .required = true}};
  registry.Register(slow, [](const ParamValues& params, const Services&) {
    return std::make_unique<SlowTexts>(params.Get<Duration>("wait"));
  });
  Contract fail = TextContract("text.fail", true);
  fail.params = {{.name = "every", .type = ParamType::kInt, .doc = "One in so many.", .required = true, .min = 1}};
  registry.Register(fail, [](const ParamValues& params, const Services&) {
    return std::make_unique<FailTexts>(params.Get<int64_t>("every"));
  });
  Contract cache = TextContract("text.cache", true);
  cache.state.bytes = 4096;
  registry.Register(cache, [](const ParamValues&, const Services&) { return std::make_unique<CacheTexts>(); });
  Contract disk = TextContract("sink.disk", false);
  disk.params = {{.name = "room", .type = ParamType::kInt, .doc = "Texts it takes.", .required = true}};
  registry.Register(disk, [](const ParamValues& params, const Services&) {
    return std::make_unique<DiskTexts>(params.Get<int64_t>("room"));
  });
}
