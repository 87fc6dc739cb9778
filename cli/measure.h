// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.h"
#include "graph/config/pipeline.h"
#include "graph/config/structure.h"
#include "graph/run/measurement.h"
#include "graph/run/run_result.h"

namespace percept::cli {

// A run whose sinks wrote nothing.
struct Measured {
  int num_workers = 0;
  graph::RunResult result;
  graph::MeasuredRun run;
  int64_t peak_resident_bytes = 0;  // of the process
};

// Fills the parameter `input` of a pipeline. Throws ArgumentError: it has none, it is set already, no such file.
void FillInput(const graph::PipelineDefinition& pipeline, const std::vector<std::string>& inputs,
               graph::Arguments* arguments);

// Runs the graph to its end, or to a signal, with `inputs` read by it. Tells on standard error how far it has come.
Measured Measure(const graph::CheckedGraph& graph, const std::vector<std::string>& inputs, const RuntimeFlags& flags);

// Nothing that would tell something: the run was stopped, or every item failed.
bool MeasuredNothing(const Measured& measured);

// For people, at 80 columns where names leave room.
void PrintMeasured(const graph::CheckedGraph& graph, const graph::Structure& structure, const Measured& measured);
// The same facts for programs: seconds and bytes.
nlohmann::ordered_json MeasuredJson(const graph::CheckedGraph& graph, const graph::Structure& structure,
                                    const Measured& measured);

}  // namespace percept::cli
