// SPDX-License-Identifier: Apache-2.0
//
//   out: { type: sink.text, in: say.record, path: answers.txt, headers: always }
//
// Writes the texts of records, one after the other. With headers each stands under the name of its item; `auto` writes
// them where the item's source reads more than one.
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

class SinkText : public graph::Node {
 public:
  SinkText(std::string path, std::unique_ptr<OutputClaim> claim, std::string headers, const Runtime& runtime)
      : path_(std::move(path)), claim_(std::move(claim)), headers_(std::move(headers)), runtime_(runtime) {}

  void Open(graph::NodeContext& /*context*/) override { file_.emplace(path_, runtime_); }

  graph::Process Process(graph::NodeContext& context) override {
    if (!context.inputs().empty()) {
      file_->Write(Lines(context.inputs().Get("record").Get<Record>()));
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
  bool WantsHeader(const Record& record) const {
    const bool one_of_many =
        record.answer && !record.answer->pictures.empty() && record.answer->pictures.front().num_in_source > 1;
    return headers_ == "always" || (headers_ == "auto" && one_of_many);
  }

  std::string Lines(const Record& record) {
    std::string lines;
    if (WantsHeader(record)) {
      lines = (any_written_ ? "\n==> " : "==> ") + record.item + " <==\n";
      any_written_ = true;
    }
    lines += record.text;
    lines += '\n';
    return lines;
  }

  const std::string path_;
  std::unique_ptr<OutputClaim> claim_;
  const std::string headers_;
  const Runtime& runtime_;
  std::optional<TextFile> file_;
  bool any_written_ = false;
};

}  // namespace

void RegisterSinkText(graph::Registry* registry) {
  graph::Contract contract{
      .type = "sink.text",
      .doc = "Writes the texts of records.",
      .example = "out: { type: sink.text, in: say.record, path: answers.txt }",
      .inputs = {{.name = "record", .types = {"Record"}, .doc = "finished answers; errors are left out"}},
      .params = {graph::ParamDecl{.name = "path",
                                  .type = graph::ParamType::kPath,
                                  .doc = "file to replace when the run ends; - is standard output"}
                     .Default("-"),
                 graph::ParamDecl{.name = "headers",
                                  .type = graph::ParamType::kEnum,
                                  .doc = "a line with the item's name above each text; auto: where there are several",
                                  .values = {"auto", "always", "never"}}
                     .Default("auto")},
  };
  registry->Register(std::move(contract), [](const graph::ParamValues& params, const graph::Services& services) {
    auto& runtime = services.Get<Runtime>();
    return std::make_unique<SinkText>(params.Get<std::string>("path"), ClaimFile(params, runtime),
                                      params.Get<std::string>("headers"), runtime);
  });
}

}  // namespace percept::nodes
