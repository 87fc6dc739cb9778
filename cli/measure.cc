// SPDX-License-Identifier: Apache-2.0
#include "cli/measure.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "cli/interrupts.h"
#include "cli/progress.h"
#include "cli/run_log.h"
#include "cli/run_report.h"
#include "graph/run/graph.h"
#include "graph/run/steady_clock.h"
#include "kernels/core/error.h"
#include "nodes/sink/silent_sinks.h"

namespace percept::cli {
namespace {

constexpr const char* kInput = "input";
const graph::Duration kDrainDeadline = graph::Duration::Seconds(10);

bool IsPath(const graph::ParamDecl& decl) { return decl.type == graph::ParamType::kPath; }

int64_t PeakResidentBytes() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace

void FillInput(const graph::PipelineDefinition& pipeline, const std::vector<std::string>& inputs,
               graph::Arguments* arguments) {
  const auto decl = std::find_if(pipeline.params.begin(), pipeline.params.end(),
                                 [](const graph::ParamDecl& param) { return param.name == kInput; });
  if (decl == pipeline.params.end()) {
    throw ArgumentError("--measure " + inputs.front() + ": " + pipeline.name + " has no parameter 'input' to fill in");
  }
  if (arguments->values.count(kInput) != 0) {
    throw ArgumentError("--measure and --set input both say what is read: give one of them");
  }
  for (const std::string& input : inputs) {
    if (IsPath(*decl) && input != "-" && !std::filesystem::exists(input)) {
      throw ArgumentError("--measure " + input + ": there is no such file");
    }
  }
  arguments->values[kInput] = inputs;
}

Measured Measure(const graph::CheckedGraph& graph, const std::vector<std::string>& inputs, const RuntimeFlags& flags) {
  Interrupts interrupts;
  const graph::CheckedGraph silent = nodes::WithSilentSinks(graph);
  nodes::RuntimeOptions options = flags.ToOptions();
  Progress progress(SinkNames(silent), inputs.size());
  options.standard_input = STDIN_FILENO;
  options.trace = &progress;
  nodes::Runtime runtime(std::move(options));
  if (UsesDefaultModel(silent)) {
    runtime.OpenModel("");
  }
  graph::SteadyClock clock;
  graph::Measurement measurement(silent, clock, &progress);
  graph::GraphOptions graph_options;
  graph_options.clock = &clock;
  graph_options.observer = &measurement;
  RunLog log(progress);
  if (flags.verbose) {
    graph_options.log = [&log](const graph::RunNote& note) { log.Write(note); };
    graph_options.errors = [&log](const graph::ErrorPayload& failed) { log.Write(failed); };
  }
  graph::Graph run(silent, runtime.executor(), runtime.services(), graph_options);
  Measured measured;
  measured.num_workers = runtime.executor().num_workers();
  measured.result =
      interrupts.During({[&] { run.Drain(kDrainDeadline); }, [&] { run.Cancel(); }}, [&] { return run.Run(); });
  progress.Hide();
  measured.run = measurement.Result();
  measured.peak_resident_bytes = PeakResidentBytes();
  return measured;
}

bool MeasuredNothing(const Measured& measured) {
  const graph::RunStatus status = measured.result.status;
  return status == graph::RunStatus::kFailed || status == graph::RunStatus::kCancelled ||
         (measured.result.num_failed_items > 0 && measured.result.num_failed_items >= measured.run.num_items);
}

}  // namespace percept::cli
