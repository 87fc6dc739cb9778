// SPDX-License-Identifier: Apache-2.0
#include "cli/run_report.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>

#include "cli/command.h"
#include "cli/standard_output.h"

namespace percept::cli {
namespace {

std::string Reason(const graph::RunError& error) {
  if (!error.cause) {
    return error.message;
  }
  try {
    std::rethrow_exception(error.cause);
  } catch (const OutputClosedError& closed) {
    return closed.what();
  } catch (...) {
    return error.message;
  }
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

// What edges dropped because they were told to.
void ReportDrops(const graph::RunResult& result) {
  for (const graph::EdgeCounts& counts : result.edges) {
    for (const auto& [reason, num] : counts.drops) {
      spdlog::warn("edge {}: {} {} dropped ({})", counts.edge, num, num == 1 ? "packet was" : "packets were", reason);
    }
  }
}

// What went wrong on the way and was made good.
void ReportMended(const graph::RunResult& result) {
  for (const graph::NodeCounts& counts : result.nodes) {
    for (const auto& [kind, num] : counts.repairs) {
      spdlog::warn("node '{}': {} {} {}", counts.node, num, num == 1 ? "packet came" : "packets came", kind);
    }
    if (counts.retries > 0) {
      spdlog::warn("node '{}': tried again {} {}", counts.node, counts.retries, counts.retries == 1 ? "time" : "times");
    }
    if (counts.restarts > 0) {
      spdlog::warn("node '{}': made anew {} {}", counts.node, counts.restarts, counts.restarts == 1 ? "time" : "times");
    }
  }
}

}  // namespace

std::vector<std::string> SinkNames(const graph::CheckedGraph& graph) {
  std::vector<std::string> names;
  for (const graph::CheckedNode& node : graph.nodes) {
    if (node.contract.outputs.empty()) {
      names.push_back(node.name);
    }
  }
  return names;
}

bool AllSourcesAreLive(const graph::CheckedGraph& graph) {
  return std::none_of(graph.nodes.begin(), graph.nodes.end(),
                      [](const graph::CheckedNode& node) { return node.contract.source == graph::SourceKind::kBatch; });
}

bool UsesDefaultModel(const graph::CheckedGraph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const graph::CheckedNode& node) {
    return nodes::RunsModel(node.contract) && !node.params.Has("model") && !node.params.Has("mmproj") &&
           !node.params.Has("drafter");
  });
}

int Report(const graph::RunResult& result, bool all_live) {
  for (const graph::ErrorPayload& failed : result.failed_items) {
    spdlog::error("{}: {}", failed.item, failed.reason);
  }
  if (result.num_failed_items > result.failed_items.size()) {
    spdlog::error("{} more items failed and are not named", result.num_failed_items - result.failed_items.size());
  }
  if (result.num_lost_items > 0) {
    spdlog::error("{} {} under way and lost", result.num_lost_items,
                  result.num_lost_items == 1 ? "item was" : "items were");
  }
  ReportDrops(result);
  ReportMended(result);
  const bool any_unmatched = ReportUnmatched(result);
  switch (result.status) {
    case graph::RunStatus::kFailed:
      spdlog::error("{}", Reason(*result.error));
      return kStopped;
    case graph::RunStatus::kCancelled:
      spdlog::error(kCancelled);
      return kStopped;
    case graph::RunStatus::kDrained:
      // A live input has no end that was missed.
      if (all_live) break;
      spdlog::error("stopped before the end of the input; what had been read is done");
      return kStopped;
    case graph::RunStatus::kFinished:
      break;
  }
  return result.num_failed_items > 0 || any_unmatched ? kSomeItemsFailed : kAllDone;
}

}  // namespace percept::cli
