// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"
#include "engine/sound.h"
#include "graph/node/registry.h"
#include "graph/node/services.h"
#include "graph/run/executor.h"
#include "kernels/core/trace.h"
#include "kernels/cpu/context.h"
#include "nodes/model_params.h"

namespace percept::nodes {

// Where sinks with the path "-" write.
class TextStream {
 public:
  virtual ~TextStream() = default;
  // All of it, or throws. Called by one node at a time, with no more than PIPE_BUF bytes once WaitForRoom was true.
  virtual void Write(std::string_view text) = 0;
  // True once a Write need not wait for a reader; false where that takes longer than `limit`: it is asked again unless
  // the run was cancelled.
  virtual bool WaitForRoom(std::chrono::milliseconds /*limit*/) { return true; }
  // A name as the stream should show it, within a line of a node's own: a terminal wants no control characters.
  virtual std::string Shown(const std::string& name) const { return name; }
};

// What one input may cost before it is refused.
struct InputLimits {
  int64_t picture_pixels = 100'000'000;                 // compared with a picture's header
  int64_t clip_samples = int64_t{600} * kSoundRate_hz;  // of a file of sound, at 16 kHz
  int64_t stream_bytes = int64_t{256} << 20;            // of an input that is read from a pipe
};

// What each model may take beside its weights.
struct ModelLimits {
  int64_t context_tokens = 0;  // as EngineOptions have them
  int64_t kv_limit_bytes = 0;
  // That there are: a model whose context does not fit is refused. 0: nobody looked.
  int64_t memory_bytes = 0;
};

struct RuntimeOptions {
  int num_workers = 0;                    // 0: as many as this process may use
  std::filesystem::path default_model;    // of nodes whose `model` is not given
  std::filesystem::path default_mmproj;   // that goes with it; empty: those in its folder, or none
  std::filesystem::path default_drafter;  // made for it; empty: none
  Mode mode = Mode::kFast;
  Isa max_isa = Isa::kAmxBf16;
  InputLimits limits;
  ModelLimits model_limits;
  TextStream* standard_output = nullptr;  // outlives the runtime; null: "-" is refused
  int standard_input = -1;                // a file descriptor that sources with the path "-" read; -1: refused
  TraceSink* trace = nullptr;             // sees the steps of every engine; outlives the runtime
};

// What a sink had written when its run failed or was cancelled: the file that it would have replaced is as it was.
struct PartialOutput {
  std::string path;            // of the sink
  std::filesystem::path kept;  // where the rows are, or would be
  std::string error;           // why they could not be kept; "" where they were
};

class Runtime;

// The sole right to write a file, as long as it lives.
class OutputClaim {
 public:
  OutputClaim(Runtime& runtime, std::filesystem::path file);
  ~OutputClaim();
  OutputClaim(const OutputClaim&) = delete;
  OutputClaim& operator=(const OutputClaim&) = delete;

 private:
  Runtime& runtime_;
  const std::filesystem::path file_;
};

// What graphs run on: workers, models, limits and streams, and the node types of this project. Owns no global state:
// several work side by side in one process. Graphs that use a runtime end before it.
class Runtime {
 public:
  explicit Runtime(RuntimeOptions options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  const graph::Registry& registry() const { return registry_; }
  graph::Registry& registry() { return registry_; }
  // Holds this runtime itself: that is what nodes ask for.
  const graph::Services& services() const { return services_; }
  graph::Executor& executor() { return *executor_; }
  const RuntimeOptions& options() const { return options_; }

  // The model at `path` ("": the default one, with its mmproj and drafter), opened on first use and kept. Any thread.
  // Throws CheckpointError as Model::Open, ArgumentError where there is no default.
  Model& OpenModel(const std::string& path);
  // The same, of the files that a node's parameters name.
  Model& OpenModel(const ModelFiles& files);
  // What nodes run that name nothing.
  ModelFiles default_files() const {
    return {options_.default_model.string(), options_.default_mmproj.string(), options_.default_drafter.string()};
  }

  // For one sink, until it drops the claim. `file` has no symbolic links and no `..` in it. Any thread.
  // Throws ArgumentError where another claim of the file lives.
  std::unique_ptr<OutputClaim> ClaimOutput(const std::filesystem::path& file);

  // Of all runs so far. Any thread.
  std::vector<PartialOutput> partial_outputs() const;
  // For sinks that keep what they had.
  void AddPartialOutput(PartialOutput output);

  // The paths of sinks that came to their ends without a row since this was asked last; see WriteEmptyOutputs. Any
  // thread.
  std::vector<std::string> TakeEmptyOutputs();
  void AddEmptyOutput(const std::string& path);

 private:
  friend class OutputClaim;
  class Steps;

  const RuntimeOptions options_;
  graph::Registry registry_;
  graph::Services services_;
  // Destroyed in reverse: engines need the executor to finish, and its last tasks are steps.
  std::vector<std::unique_ptr<Steps>> steps_;
  std::unique_ptr<graph::Executor> executor_;
  mutable std::mutex outputs_mutex_;
  std::set<std::filesystem::path> outputs_;
  std::vector<PartialOutput> partial_outputs_;
  std::vector<std::string> empty_outputs_;
  std::mutex models_mutex_;
  std::map<ModelFiles, std::unique_ptr<Model>> models_;
};

}  // namespace percept::nodes
