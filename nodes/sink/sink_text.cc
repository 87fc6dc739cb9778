// SPDX-License-Identifier: Apache-2.0
//
//   out: { type: sink.text, in: say.record, path: answers.txt, headers: always }
//
// Writes texts, alone or of records, one after the other, and an empty line behind those of a list. With headers each
// stands under the name of its item; `auto` writes them where the source of a record reads more than one.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "graph/node/registry.h"
#include "graph/packet/packet_list.h"
#include "nodes/payload/record.h"
#include "nodes/payload/text.h"
#include "nodes/runtime.h"
#include "nodes/sink/text_file.h"

namespace percept::nodes {
namespace {

class SinkText : public graph::Node {
 public:
  SinkText(const graph::ParamValues& params, Runtime& runtime)
      : headers_(params.Get<std::string>("headers")), file_(params, runtime) {}

  void Open(graph::NodeContext& context) override {
    file_.Open(context.committed_position(), [&] { return context.cancelled(); });
  }

  graph::Process Process(graph::NodeContext& context) override {
    if (!context.inputs().empty()) {
      Write(context.inputs().Get("record"), [&] { return context.cancelled(); });
    }
    return graph::Process::kNeedInput;
  }

  graph::Process Flush(graph::NodeContext& context) override {
    if (!context.run_failed()) {
      file_.Finish();
    }
    return graph::Process::kFinished;
  }

  void Close() override { file_.Close(); }
  int64_t Commit() override { return file_.Commit(); }

 private:
  void Write(const graph::Packet& packet, const TextFile::Cancelled& cancelled) {
    if (!packet.Is<graph::PacketList>()) {
      file_.Write(Lines(packet), cancelled);
      return;
    }
    for (const graph::Packet& item : packet.Get<graph::PacketList>().packets) {
      file_.Write(Lines(item), cancelled);
    }
    file_.Write("\n", cancelled);
  }

  bool WantsHeader(const graph::Packet& packet) const {
    if (headers_ != "auto" || !packet.Is<Record>()) {
      return headers_ == "always";
    }
    const auto& answer = packet.Get<Record>().answer;
    return answer && answer->is_one_of_several();
  }

  std::string Lines(const graph::Packet& packet) const {
    const bool is_record = packet.Is<Record>();
    std::string lines;
    if (WantsHeader(packet)) {
      const std::string& item = is_record ? packet.Get<Record>().item : packet.item_label();
      lines = (file_.length() > 0 ? "\n==> " : "==> ") + file_.Shown(item) + " <==\n";
    }
    lines += is_record ? packet.Get<Record>().text : packet.Get<Text>().text;
    lines += '\n';
    return lines;
  }

  const std::string headers_;
  TextFile file_;
};

}  // namespace

void RegisterSinkText(graph::Registry* registry) {
  graph::Contract contract{
      .type = "sink.text",
      .doc = "Writes the texts of records.",
      .example = "out: { type: sink.text, in: say.record, path: answers.txt }",
      .inputs = {{.name = "record",
                  .types = {"Record", "Text", "Record[]", "Text[]"},
                  .doc = "finished answers, or texts, or lists of them; errors are left out"}},
      .params = {graph::ParamDecl{.name = "path",
                                  .type = graph::ParamType::kPath,
                                  .doc = "file to replace at the end of a run that does not fail; - is standard output"}
                     .Default("-"),
                 graph::ParamDecl{.name = "headers",
                                  .type = graph::ParamType::kEnum,
                                  .doc = "a line with the item's name above each text; auto: where there are several",
                                  .values = {"auto", "always", "never"}}
                     .Default("auto")},
      .output = graph::OutputKind::kAppended,
  };
  registry->Register(std::move(contract), [](const graph::ParamValues& params, const graph::Services& services) {
    return std::make_unique<SinkText>(params, services.Get<Runtime>());
  });
}

}  // namespace percept::nodes
