// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "graph/config/checked_graph.h"
#include "nodes/model_params.h"

namespace percept::cli {

// Throws ArgumentError, which names --output and the reason, where a file cannot be written or is one of the inputs
// ("-": standard input). Changes nothing.
void CheckOutput(const std::string& output, const std::vector<std::string>& inputs);

// Throws ArgumentError, which names `flag` and the reason, where `file` ("-": standard output) cannot be written.
// Changes nothing.
void CheckMayWrite(const std::string& flag, const std::string& file);

// What a pipeline file's sinks would write is none of the files that its run reads (itself and those of `model` among
// them), and each another one: nodes::CheckOutputs.
void CheckOutputs(const graph::CheckedGraph& graph, const std::filesystem::path& pipeline,
                  const nodes::ModelFiles& model);

}  // namespace percept::cli
