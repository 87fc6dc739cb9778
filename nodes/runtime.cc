// SPDX-License-Identifier: Apache-2.0
#include "nodes/runtime.h"

#include <limits>
#include <utility>

#include "engine/step_executor.h"
#include "graph/run/tbb_executor.h"
#include "kernels/cpu/threads.h"
#include "nodes/register_nodes.h"

namespace percept::nodes {

// Runs one engine's steps on the graphs' executor. Steps come after every node that is ready: what nodes do is bounded
// by the sources' credits, and it is what fills the next batch.
class Runtime::Steps : public StepExecutor, public graph::Task {
 public:
  explicit Steps(graph::Executor& executor) : executor_(executor) { priority = std::numeric_limits<int>::max(); }

  void Enqueue(StepTask& task) override {
    step_ = &task;
    executor_.Enqueue(*this);
  }

  // An engine has at most one step enqueued or running, so step_ is not written while it is read.
  void Run() noexcept override { step_->Run(); }

 private:
  graph::Executor& executor_;
  StepTask* step_ = nullptr;
};

OutputClaim::OutputClaim(Runtime& runtime, std::filesystem::path file) : runtime_(runtime), file_(std::move(file)) {
  const std::lock_guard lock(runtime_.outputs_mutex_);
  if (!runtime_.outputs_.insert(file_).second) {
    throw ArgumentError("another sink of this run writes " + file_.string());
  }
}

OutputClaim::~OutputClaim() {
  const std::lock_guard lock(runtime_.outputs_mutex_);
  runtime_.outputs_.erase(file_);
}

Runtime::Runtime(RuntimeOptions options)
    : options_(std::move(options)),
      executor_(std::make_unique<graph::TbbExecutor>(
          graph::ExecutorOptions{.num_workers = options_.num_workers, .worker_entry = UseOneOpenMpThread})) {
  RegisterNodes(&registry_);
  services_.Add(*this);
}

Runtime::~Runtime() = default;

Model& Runtime::OpenModel(const std::string& path) {
  return OpenModel(path.empty() ? default_files() : ModelFiles{.model = path, .mmproj = {}, .drafter = {}});
}

Model& Runtime::OpenModel(const ModelFiles& files) {
  if (files.model.empty()) {
    throw ArgumentError("no model is given and this program has no default one");
  }
  const auto canonical = [](const std::string& file) {
    return file.empty() ? file : std::filesystem::weakly_canonical(file).string();
  };
  const std::lock_guard lock(models_mutex_);
  std::unique_ptr<Model>& model = models_[{canonical(files.model), canonical(files.mmproj), canonical(files.drafter)}];
  if (model == nullptr) {
    auto steps = std::make_unique<Steps>(*executor_);
    ModelOptions options;
    options.mode = options_.mode;
    options.max_isa = options_.max_isa;
    options.mmproj = files.mmproj;
    options.drafter = files.drafter;
    options.engine.executor = steps.get();
    options.engine.trace = options_.trace;
    options.engine.context_tokens = options_.model_limits.context_tokens;
    options.engine.kv_limit_bytes = options_.model_limits.kv_limit_bytes;
    options.memory_bytes = options_.model_limits.memory_bytes;
    model = Model::Open(files.model, options);
    steps_.push_back(std::move(steps));
  }
  return *model;
}

std::unique_ptr<OutputClaim> Runtime::ClaimOutput(const std::filesystem::path& file) {
  return std::make_unique<OutputClaim>(*this, file);
}

std::vector<PartialOutput> Runtime::partial_outputs() const {
  const std::lock_guard lock(outputs_mutex_);
  return partial_outputs_;
}

void Runtime::AddPartialOutput(PartialOutput output) {
  const std::lock_guard lock(outputs_mutex_);
  partial_outputs_.push_back(std::move(output));
}

std::vector<std::string> Runtime::TakeEmptyOutputs() {
  const std::lock_guard lock(outputs_mutex_);
  return std::exchange(empty_outputs_, {});
}

void Runtime::AddEmptyOutput(const std::string& path) {
  const std::lock_guard lock(outputs_mutex_);
  empty_outputs_.push_back(path);
}

}  // namespace percept::nodes
