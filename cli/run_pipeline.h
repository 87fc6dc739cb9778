// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "cli/command.h"
#include "graph/config/pipeline.h"

namespace percept::cli {

// Runs a pipeline file to its end, or to SIGINT or SIGTERM, and reports on standard error what failed. Returns the exit
// code; throws where nothing was started.
int RunPipeline(const std::filesystem::path& file, graph::Arguments arguments, const RuntimeFlags& flags);

}  // namespace percept::cli
