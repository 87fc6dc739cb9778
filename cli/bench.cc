// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/quantity.h"
#include "cli/shipped_files.h"
#include "engine/bench/random_model.h"
#include "engine/bench/stage_timing.h"
#include "engine/model.h"
#include "graph/run/executor.h"
#include "nodes/source/picture_decoder.h"

namespace percept::cli {
namespace {

struct Flags {
  RuntimeFlags runtime;
  std::string shape;  // random weights of this shape instead of a checkpoint
  std::string image;
  int budget = 0;
  int num_output_tokens = 32;
  int num_repetitions = 5;
};

// Runs a function on a worker, where the loops of the kernels find the others, and waits for it.
void RunOnWorker(graph::Executor& executor, const std::function<void()>& function) {
  class FunctionTask : public graph::Task {
   public:
    explicit FunctionTask(const std::function<void()>& function_to_run) : function_(function_to_run) {}
    void Run() noexcept override {
      const std::shared_ptr<std::promise<void>> outlives_task = done;
      try {
        function_();
        outlives_task->set_value();
      } catch (...) {
        outlives_task->set_exception(std::current_exception());
      }
    }
    const std::shared_ptr<std::promise<void>> done = std::make_shared<std::promise<void>>();

   private:
    const std::function<void()>& function_;
  };
  FunctionTask task(function);
  executor.Enqueue(task);
  task.done->get_future().get();
}

StageTime TimeReading(const std::filesystem::path& image, int num_repetitions, int64_t pixel_limit) {
  StageTime stage{.name = "read", .unit = "pixels", .seconds = {}};
  for (int repetition = -1; repetition < num_repetitions; ++repetition) {
    const auto start = std::chrono::steady_clock::now();
    const nodes::DecodedPicture picture = nodes::DecodePictureFile(image, pixel_limit);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    stage.amount = picture.pixels.size().width * picture.pixels.size().height;
    if (repetition >= 0) {
      stage.seconds.push_back(elapsed.count());
    }
  }
  std::sort(stage.seconds.begin(), stage.seconds.end());
  return stage;
}

void PrintStage(const StageTime& stage) {
  const double median_s = stage.median_s();
  std::cout << std::left << std::setw(12) << stage.name << std::right << std::setw(10) << Decimal(median_s * 1e3, 2)
            << std::setw(10) << Decimal(stage.fastest_s() * 1e3, 2) << std::setw(10)
            << Decimal(stage.slowest_s() * 1e3, 2) << std::setw(12)
            << Decimal(static_cast<double>(stage.amount) / median_s, 0) << " " << stage.unit << "/s";
  if (stage.flops > 0) {
    std::cout << ", " << Decimal(stage.flops / median_s / 1e9, 0) << " GFLOPS";
  }
  if (stage.read_bytes > 0) {
    std::cout << ", " << Bytes(static_cast<int64_t>(stage.read_bytes / median_s)) << "/s of weights";
  }
  std::cout << "\n";
}

int Measure(const Flags& flags) {
  nodes::RuntimeOptions options = flags.runtime.ToOptions();
  nodes::Runtime runtime(options);
  std::optional<LoadedWeights> random;
  StageTimingOptions timing;
  timing.num_output_tokens = flags.num_output_tokens;
  timing.num_repetitions = flags.num_repetitions;
  std::string subject = "random weights of the shape " + flags.shape;
  if (flags.shape.empty()) {
    const Model& model = runtime.OpenModel("");
    subject = model.card().name;
    timing.image_budget = model.processor().image_budget;
  }
  if (flags.budget > 0) {
    timing.image_budget = flags.budget;
  }
  std::vector<StageTime> stages;
  const std::filesystem::path image =
      flags.image.empty() ? FindShippedFile("examples/media/receipt.png") : std::filesystem::path(flags.image);
  if (!image.empty()) {
    stages.push_back(TimeReading(image, flags.num_repetitions, options.limits.picture_pixels));
  }
  const KernelContext context = MakeKernelContext(options.mode, options.max_isa);
  RunOnWorker(runtime.executor(), [&] {
    if (!flags.shape.empty()) {
      random.emplace(RandomModel(flags.shape, context));
    }
    const std::vector<StageTime> measured = TimeStages(random ? *random : runtime.OpenModel("").weights(), timing);
    stages.insert(stages.end(), measured.begin(), measured.end());
  });
  std::cout << subject << ", " << flags.runtime.mode << ", " << IsaName(context.isa) << ", "
            << runtime.executor().num_workers() << " threads, budget " << timing.image_budget << ", "
            << timing.num_output_tokens << " tokens of answer, " << timing.num_repetitions << " repetitions\n"
            << "stage        median ms   fastest   slowest        rate\n";
  for (const StageTime& stage : stages) {
    PrintStage(stage);
  }
  return kAllDone;
}

}  // namespace

void AddBench(CLI::App& app, Action* action) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("bench", "Measure the stages of reading a picture, one by one");
  std::vector<std::string> shapes;
  for (const std::string_view shape : RandomModelShapes()) {
    shapes.emplace_back(shape);
  }
  verb->add_option("--shape", flags->shape, "random weights of a released shape instead of a checkpoint")
      ->check(CLI::IsMember(shapes));
  verb->add_option("--image", flags->image, "picture of the stage `read`; else an example of the source tree")
      ->type_name("FILE");
  verb->add_option("--budget", flags->budget, "soft tokens of the picture; else the model's own")
      ->check(CLI::IsMember({70, 140, 280, 560, 1120}));
  verb->add_option("--tokens", flags->num_output_tokens, "length of the answer")
      ->capture_default_str()
      ->check(CLI::Range(2, 4096));
  verb->add_option("--repetitions", flags->num_repetitions, "how often each stage is measured")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  AddRuntimeFlags(*verb, &flags->runtime);
  verb->footer("Examples:\n  percept bench\n  percept bench --shape e2b --budget 280");
  verb->callback([flags, action] { *action = [flags] { return Measure(*flags); }; });
}

}  // namespace percept::cli
