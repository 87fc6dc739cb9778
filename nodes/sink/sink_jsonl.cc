// SPDX-License-Identifier: Apache-2.0
//
//   out: { type: sink.jsonl, in: say.record, path: answers.jsonl }
//
// Writes one line of JSON per record. An item that failed has a line too: its text is null and `error` says why.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "graph/node/registry.h"
#include "nodes/payload/record.h"
#include "nodes/runtime.h"
#include "nodes/sink/text_file.h"

namespace percept::nodes {
namespace {

class SinkJsonl : public graph::Node {
 public:
  SinkJsonl(std::string path, std::unique_ptr<OutputClaim> claim, const Runtime& runtime)
      : path_(std::move(path)), claim_(std::move(claim)), runtime_(runtime) {}

  void Open(graph::NodeContext& /*context*/) override { file_.emplace(path_, runtime_); }

  graph::Process Process(graph::NodeContext& context) override {
    if (!context.inputs().empty()) {
      const graph::Packet& packet = context.inputs().Get("record");
      file_->Write(ToJsonLine(packet.is_error() ? MakeErrorRecord(packet) : packet.Get<Record>()) + "\n");
    }
    return graph::Process::kNeedInput;
  }

  graph::Process Flush(graph::NodeContext& /*context*/) override {
    file_->Finish();
    return graph::Process::kFinished;
  }

  void Close() override {
    file_.reset();
    claim_.reset();
  }

 private:
  const std::string path_;
  std::unique_ptr<OutputClaim> claim_;
  const Runtime& runtime_;
  std::optional<TextFile> file_;
};

}  // namespace

void RegisterSinkJsonl(graph::Registry* registry) {
  graph::Contract contract{
      .type = "sink.jsonl",
      .doc = "Writes records as lines of JSON, failed items included.",
      .example = "out: { type: sink.jsonl, in: say.record, path: answers.jsonl }",
      .inputs = {{.name = "record", .types = {"Record"}, .doc = "finished answers"}},
      .params = {graph::ParamDecl{.name = "path",
                                  .type = graph::ParamType::kPath,
                                  .doc = "file to replace when the run ends; - is standard output"}
                     .Default("-")},
      .accepts_errors = true,
  };
  registry->Register(std::move(contract), [](const graph::ParamValues& params, const graph::Services& services) {
    auto& runtime = services.Get<Runtime>();
    return std::make_unique<SinkJsonl>(params.Get<std::string>("path"), ClaimFile(params, runtime), runtime);
  });
}

}  // namespace percept::nodes
