// SPDX-License-Identifier: Apache-2.0
#include "cli/run_pipeline.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "cli/interrupts.h"
#include "cli/output_check.h"
#include "cli/progress.h"
#include "cli/run_log.h"
#include "cli/run_report.h"
#include "cli/standard_output.h"
#include "graph/config/checked_graph.h"
#include "graph/run/graph.h"
#include "nodes/register_nodes.h"
#include "nodes/sink/text_file.h"

namespace percept::cli {
namespace {

const graph::Duration kDrainDeadline = graph::Duration::Seconds(10);

void NoteUnwritten(const graph::CheckedGraph& graph) {
  if (!SinkNames(graph).empty()) {
    return;
  }
  for (const std::string& warning : graph.warnings) {
    spdlog::warn("nothing is written: {}", warning);
  }
}

}  // namespace

int RunPipeline(const std::filesystem::path& file, graph::Arguments arguments, const RuntimeFlags& flags) {
  Interrupts interrupts;
  nodes::RuntimeOptions options = flags.ToOptions();
  GiveModelTo(&arguments, flags);
  graph::Registry registry;
  nodes::RegisterNodes(&registry);
  const graph::CheckedGraph checked = graph::CheckFile(file.string(), registry, arguments);
  CheckOutputs(checked, file, flags.ToModelFiles());
  NoteUnwritten(checked);
  const auto input = arguments.values.find("input");
  Progress progress(SinkNames(checked), input == arguments.values.end() ? 0 : input->second.size());
  StandardOutput output(progress);
  options.standard_output = &output;
  options.standard_input = STDIN_FILENO;
  options.trace = &progress;
  nodes::Runtime runtime(std::move(options));
  if (UsesDefaultModel(checked)) {
    runtime.OpenModel("");  // here its faults are the arguments', not a node's
  }
  graph::GraphOptions graph_options;
  graph_options.observer = &progress;
  RunLog log(progress);
  if (flags.verbose) {
    graph_options.log = [&log](const graph::RunNote& note) { log.Write(note); };
    graph_options.errors = [&log](const graph::ErrorPayload& failed) { log.Write(failed); };
  }
  graph::Graph graph(checked, runtime.executor(), runtime.services(), graph_options);
  const auto drain = [&] {
    progress.Hide();
    spdlog::info(kFinishing);
    graph.Drain(kDrainDeadline);
  };
  const graph::RunResult result = interrupts.During({drain, [&] { graph.Cancel(); }}, [&] { return graph.Run(); });
  progress.Hide();
  const int exit_code = Report(result, AllSourcesAreLive(checked));
  if (exit_code == kAllDone) {
    nodes::WriteEmptyOutputs(runtime);
  }
  for (const nodes::PartialOutput& partial : runtime.partial_outputs()) {
    if (partial.error.empty()) {
      spdlog::error("{}: not replaced; what was written until then is in {}", partial.path, partial.kept.string());
    } else {
      spdlog::error("{}: not replaced; what was written until then is lost, {} cannot be written: {}", partial.path,
                    partial.kept.string(), partial.error);
    }
  }
  return exit_code;
}

}  // namespace percept::cli
