// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>

#include "nodes/runtime.h"

namespace percept::cli {

// What the program's exit code says.
enum ExitCode : int {
  kAllDone = 0,
  kSomeItemsFailed = 1,  // the report on standard error names them
  kWrongArguments = 2,   // the pipeline, the model or the arguments
  kStopped = 3,          // by an error or a signal
};

// The verb that the command line chose, to be run once parsing is over.
using Action = std::function<int()>;

// One per verb: declares it, and sets `action` when it is chosen.
void AddOcr(CLI::App& app, Action* action);
void AddChart(CLI::App& app, Action* action);
void AddRun(CLI::App& app, Action* action);
void AddCheck(CLI::App& app, Action* action);
void AddGraph(CLI::App& app, Action* action);
void AddNodes(CLI::App& app, Action* action);
void AddModel(CLI::App& app, Action* action);
void AddDoctor(CLI::App& app, Action* action);
void AddBench(CLI::App& app, Action* action);

// --model, --threads, --mode and --max-isa, shared by the verbs that run a model.
struct RuntimeFlags {
  std::string model;  // empty: PERCEPT_MODEL, else the embedded model
  int num_threads = 0;
  std::string mode = "fast";
  std::string max_isa;  // empty: no limit

  // Of the limits and the model alone; streams and trace are the verb's.
  nodes::RuntimeOptions ToOptions() const;
};
void AddRuntimeFlags(CLI::App& verb, RuntimeFlags* flags);

// --model, else the environment variable PERCEPT_MODEL, else the embedded model.
std::filesystem::path ResolveModel(const std::string& flag);

}  // namespace percept::cli
