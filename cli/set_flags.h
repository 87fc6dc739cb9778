// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "graph/config/pipeline.h"

namespace percept::cli {

// `--set NAME=VALUE`, as often as there are parameters to set; the same name again adds to a list.
void AddSetFlags(CLI::App& verb, std::vector<std::string>* sets);

// Throws ArgumentError where one has no '='.
graph::Arguments ParseSets(const std::vector<std::string>& sets);

}  // namespace percept::cli
