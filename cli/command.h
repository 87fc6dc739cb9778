// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>

#include "graph/config/pipeline.h"
#include "nodes/runtime.h"

namespace percept::cli {

// What the program's exit code says.
enum ExitCode : int {
  kAllDone = 0,
  kSomeItemsFailed = 1,  // the report on standard error names them
  kWrongArguments = 2,   // the pipeline, the model or the arguments
  kStopped = 3,          // by an error or a signal
};

// What a run that a signal stopped at once says last.
inline constexpr const char* kCancelled = "cancelled";
// What one says that the first signal reached.
inline constexpr const char* kFinishing = "finishing what is under way; once more to stop at once";

// The verb that the command line chose, to be run once parsing is over.
using Action = std::function<int()>;

// One per verb: declares it, and sets `action` when it is chosen.
void AddOcr(CLI::App& app, Action* action);
void AddChart(CLI::App& app, Action* action);
void AddAsk(CLI::App& app, Action* action);
void AddRun(CLI::App& app, Action* action);
void AddBatch(CLI::App& app, Action* action);
void AddCheck(CLI::App& app, Action* action);
void AddGraph(CLI::App& app, Action* action);
void AddNodes(CLI::App& app, Action* action);
void AddModel(CLI::App& app, Action* action);
void AddDoctor(CLI::App& app, Action* action);
void AddBench(CLI::App& app, Action* action);

// --model, --mmproj, --drafter, --threads, --mode and --max-isa, shared by the verbs that run a model.
struct RuntimeFlags {
  std::string model;           // empty: PERCEPT_MODEL, else the embedded model
  std::string mmproj;          // empty: those in the model's folder, or none
  std::string drafter;         // empty: none
  int64_t context_tokens = 0;  // 0: as the model allows
  uint64_t kv_bytes = 0;       // 0: as the context needs
  int num_threads = 0;
  std::string mode = "fast";
  std::string max_isa;  // empty: no limit
  bool verbose = false;

  // Of the limits and the model alone; streams and trace are the verb's.
  nodes::RuntimeOptions ToOptions() const;
  EngineOptions ToEngineOptions() const;
  nodes::ModelFiles ToModelFiles() const;
};
void AddRuntimeFlags(CLI::App& verb, RuntimeFlags* flags);
// --context and --kv-memory, of the verbs that answer prompts.
void AddContextFlags(CLI::App& verb, RuntimeFlags* flags);
// --model, --mmproj and --drafter alone.
void AddModelFlags(CLI::App& verb, RuntimeFlags* flags);

// `model`, `mmproj` and `drafter` are parameters that every pipeline has: --set goes before the flags, and both ways
// reach the pipeline.
void TakeModelFrom(const graph::Arguments& arguments, RuntimeFlags* flags);
void GiveModelTo(graph::Arguments* arguments, const RuntimeFlags& flags);

// --model, else the environment variable PERCEPT_MODEL, else the embedded model.
std::filesystem::path ResolveModel(const std::string& flag);

}  // namespace percept::cli
