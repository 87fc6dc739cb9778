// SPDX-License-Identifier: Apache-2.0
#include "cli/run_pipeline.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cli/progress.h"
#include "cli/signal_watch.h"
#include "cli/standard_output.h"
#include "graph/config/checked_graph.h"
#include "graph/run/graph.h"
#include "nodes/register_nodes.h"

namespace percept::cli {
namespace {

constexpr const char* kCancelled = "cancelled";

// Lets a signal reach the graph while it runs. Before that, a signal ends the program; afterwards there is nothing left
// to stop.
class Interruptible {
 public:
  void Interrupt() {
    const std::lock_guard lock(mutex_);
    if (graph_ != nullptr) {
      graph_->Cancel();
    } else if (!has_run_) {
      spdlog::error(kCancelled);
      _exit(kStopped);
    }
  }
  graph::RunResult Run(graph::Graph* graph) {
    Set(graph);
    graph::RunResult result = graph->Run();
    Set(nullptr);
    return result;
  }

 private:
  void Set(graph::Graph* graph) {
    const std::lock_guard lock(mutex_);
    graph_ = graph;
    has_run_ = graph == nullptr;
  }

  std::mutex mutex_;
  graph::Graph* graph_ = nullptr;
  bool has_run_ = false;
};

std::vector<std::string> SinkNames(const graph::CheckedGraph& graph) {
  std::vector<std::string> names;
  for (const graph::CheckedNode& node : graph.nodes) {
    if (node.contract.outputs.empty()) {
      names.push_back(node.name);
    }
  }
  return names;
}

bool UsesDefaultModel(const graph::CheckedGraph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const graph::CheckedNode& node) {
    return node.contract.FindParam("model") != nullptr && !node.params.Has("model");
  });
}

std::string Reason(const graph::RunError& error) {
  try {
    if (error.cause) {
      std::rethrow_exception(error.cause);
    }
  } catch (const OutputClosedError& closed) {
    return closed.what();
  } catch (...) {
  }
  return error.message;
}

// Whether there were sets that no node was run on, each of which may have been somebody's answer.
bool ReportUnmatched(const graph::RunResult& result) {
  bool any = false;
  for (const graph::NodeCounts& counts : result.nodes) {
    if (counts.unmatched > 0) {
      spdlog::error("node '{}': {} {} not run because an input was missing", counts.node, counts.unmatched,
                    counts.unmatched == 1 ? "set was" : "sets were");
      any = true;
    }
  }
  return any;
}

void NoteUnwritten(const graph::CheckedGraph& graph) {
  if (!SinkNames(graph).empty()) {
    return;
  }
  for (const std::string& warning : graph.warnings) {
    spdlog::warn("nothing is written: {}", warning);
  }
}

int Report(const graph::RunResult& result) {
  for (const graph::ErrorPayload& failed : result.failed_items) {
    spdlog::error("{}: {}", failed.item, failed.reason);
  }
  if (result.num_failed_items > result.failed_items.size()) {
    spdlog::error("{} more items failed and are not named", result.num_failed_items - result.failed_items.size());
  }
  const bool any_unmatched = ReportUnmatched(result);
  switch (result.status) {
    case graph::RunStatus::kFailed:
      spdlog::error("{}", Reason(*result.error));
      return kStopped;
    case graph::RunStatus::kCancelled:
      spdlog::error(kCancelled);
      return kStopped;
    case graph::RunStatus::kFinished:
      break;
  }
  return result.num_failed_items > 0 || any_unmatched ? kSomeItemsFailed : kAllDone;
}

}  // namespace

int RunPipeline(const std::filesystem::path& file, graph::Arguments arguments, const RuntimeFlags& flags) {
  HoldSignals();
  Interruptible interruptible;
  const SignalWatch watch([&] { interruptible.Interrupt(); });
  nodes::RuntimeOptions options = flags.ToOptions();
  arguments.implied["model"] = options.default_model.string();
  graph::Registry registry;
  nodes::RegisterNodes(&registry);
  const graph::CheckedGraph checked = graph::CheckFile(file.string(), registry, arguments);
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
  graph::Graph graph(checked, runtime.executor(), runtime.services(), graph_options);
  const graph::RunResult result = interruptible.Run(&graph);
  progress.Hide();
  return Report(result);
}

}  // namespace percept::cli
