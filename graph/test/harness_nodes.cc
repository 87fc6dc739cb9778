// SPDX-License-Identifier: Apache-2.0
#include "graph/test/harness_nodes.h"

namespace percept::graph {
namespace {

// The harness, not credits, decides how much is at work.
constexpr int64_t kUnlimitedItems = int64_t{1} << 40;

class Source : public Node {
 public:
  explicit Source(HarnessFeed& feed) : feed_(feed) {}

  graph::Process Process(NodeContext& context) override {
    if (feed_.num_open_ports == 0 && feed_.entries.empty()) return Process::kFinished;
    if (feed_.entries.empty()) {
      feed_.waker = context.waker();
      return Process::kBlocked;
    }
    HarnessFeed::Entry entry = std::move(feed_.entries.front());
    feed_.entries.pop_front();
    if (!entry.packet.empty()) Send(context, entry);
    if (entry.bound != Time::Unset()) context.SetBound(entry.port, entry.bound);
    return Process::kHaveOutput;
  }

  void Close() override { feed_.waker = {}; }

 private:
  static void Send(NodeContext& context, HarnessFeed::Entry& entry) {
    if (!entry.item.empty()) {
      Origin origin = entry.packet.origin();
      origin.item = context.NewItem(entry.item);
      origin.trace_id = origin.item->id();
      entry.packet = std::move(entry.packet).WithOrigin(std::move(origin));
    }
    context.Send(entry.port, std::move(entry.packet));
  }

  HarnessFeed& feed_;
};

class Sink : public Node {
 public:
  explicit Sink(HarnessKeep& keep) : keep_(keep) {}

  graph::Process Process(NodeContext& context) override {
    if (keep_.holds_back) {
      keep_.waker = context.waker();
      return Process::kBlocked;
    }
    for (const Packet& packet : context.inputs().All("in")) keep_.packets.push_back(packet);
    return Process::kNeedInput;
  }

  void Close() override { keep_.waker = {}; }

 private:
  HarnessKeep& keep_;
};

}  // namespace

NodeType HarnessSource(const std::string& type, const std::vector<std::pair<std::string, TypeName>>& outputs,
                       HarnessFeed& feed) {
  Contract contract{.type = type,
                    .doc = "Sends what a test pushes.",
                    .example = "in: { type: " + type + " }",
                    .source = SourceKind::kBatch,
                    .in_flight = kUnlimitedItems};
  for (const auto& [name, payload] : outputs) {
    contract.outputs.push_back({.name = name, .type = payload, .doc = "what a test pushes", .many_per_time = true});
  }
  return {.contract = std::move(contract),
          .make = [&feed](const ParamValues&, const Services&) { return std::make_unique<Source>(feed); }};
}

NodeType HarnessSink(const std::string& type, HarnessKeep& keep) {
  Contract contract{.type = type,
                    .doc = "Keeps what a test looks at.",
                    .example = "out: { type: " + type + " }",
                    .inputs = {{.name = "in", .types = {}, .doc = "anything"}},
                    .accepts_errors = true};
  return {.contract = std::move(contract),
          .make = [&keep](const ParamValues&, const Services&) { return std::make_unique<Sink>(keep); }};
}

}  // namespace percept::graph
