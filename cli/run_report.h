// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "graph/config/checked_graph.h"
#include "graph/run/run_result.h"

namespace percept::cli {

// Nodes without outputs.
std::vector<std::string> SinkNames(const graph::CheckedGraph& graph);
bool AllSourcesAreLive(const graph::CheckedGraph& graph);
// A node whose `model` is not given.
bool UsesDefaultModel(const graph::CheckedGraph& graph);

// Tells on standard error what failed, was dropped or mended in a run, and returns the exit code. `all_live`: as
// AllSourcesAreLive.
int Report(const graph::RunResult& result, bool all_live);

}  // namespace percept::cli
