// SPDX-License-Identifier: Apache-2.0
//
//   out: { type: sink.jsonl, in: say.record, path: answers.jsonl }
//
// Writes one line of JSON per record, or per list of them. An item that failed has a line too: its text is null and
// `error` says why.
#include <cstdint>
#include <memory>
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
  SinkJsonl(const graph::ParamValues& params, Runtime& runtime)
      : with_timing_(params.Get<bool>("timing")), file_(params, runtime) {}

  void Open(graph::NodeContext& context) override {
    file_.Open(context.committed_position(), [&] { return context.cancelled(); });
  }

  graph::Process Process(graph::NodeContext& context) override {
    if (!context.inputs().empty()) {
      const graph::Packet& packet = context.inputs().Get("record");
      file_.Write(ToJsonLine(packet, with_timing_) + "\n", [&] { return context.cancelled(); });
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
  const bool with_timing_;
  TextFile file_;
};

}  // namespace

void RegisterSinkJsonl(graph::Registry* registry) {
  graph::Contract contract{
      .type = "sink.jsonl",
      .doc = "Writes records as lines of JSON, failed items included.",
      .example = "out: { type: sink.jsonl, in: say.record, path: answers.jsonl }",
      .inputs = {{.name = "record",
                  .types = {"Record", "Text", "Record[]", "Text[]"},
                  .doc = "finished answers, or texts, or lists of them: a line each"}},
      .params = {graph::ParamDecl{.name = "path",
                                  .type = graph::ParamType::kPath,
                                  .doc = "file to replace at the end of a run that does not fail; - is standard output"}
                     .Default("-"),
                 graph::ParamDecl{.name = "timing",
                                  .type = graph::ParamType::kBool,
                                  .doc = "write what took how long; without it, equal answers give equal bytes"}
                     .Default("true")},
      .output = graph::OutputKind::kAppended,
      .accepts_errors = true,
  };
  registry->Register(std::move(contract), [](const graph::ParamValues& params, const graph::Services& services) {
    return std::make_unique<SinkJsonl>(params, services.Get<Runtime>());
  });
}

}  // namespace percept::nodes
