// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/machine_rates.h"
#include "cli/quantity.h"
#include "cli/shipped_files.h"
#include "engine/bench/random_model.h"
#include "engine/bench/stage_timing.h"
#include "engine/model.h"
#include "kernels/core/dtype.h"
#include "nodes/source/picture_decoder.h"

namespace percept::cli {
namespace {

constexpr int64_t kReadingBytes = int64_t{2} << 30;

struct Flags {
  RuntimeFlags runtime;
  std::string shape;  // random weights of this shape instead of a checkpoint
  std::string dtype = "bf16";
  std::string image;
  int budget = 0;
  int num_prompt_tokens = 512;
  int num_output_tokens = 32;
  int num_repetitions = 5;
};

std::string TypeName(DType dtype) {
  std::string name(Traits(dtype).name);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

DType TypeOf(const std::string& name) {
  const std::vector<DType> types = RandomModelTypes();
  return *std::find_if(types.begin(), types.end(), [&](DType dtype) { return TypeName(dtype) == name; });
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

double PerUnit(const StageTime& stage) { return stage.median_s() / static_cast<double>(stage.amount); }

void PrintStage(const StageTime& stage, const std::vector<StageTime>& all, const MachineRates& machine) {
  const double median_s = stage.median_s();
  std::cout << std::left << std::setw(12) << stage.name << std::right << std::setw(10) << Decimal(median_s * 1e3, 2)
            << std::setw(10) << Decimal(stage.fastest_s() * 1e3, 2) << std::setw(10)
            << Decimal(stage.slowest_s() * 1e3, 2) << std::setw(12)
            << Decimal(static_cast<double>(stage.amount) / median_s, 0) << " " << stage.unit << "/s";
  if (stage.flops > 0) {
    std::cout << ", " << Decimal(stage.flops / median_s / 1e9, 0) << " GFLOPS";
    if (stage.name == "prompt" && machine.ops_per_s() > 0) {  // towers compute with wider types
      std::cout << " (" << Decimal(100 * stage.flops / median_s / machine.ops_per_s(), 0) << " % of "
                << machine.products() << ")";
    }
  }
  if (stage.read_bytes > 0) {
    std::cout << ", " << Bytes(static_cast<int64_t>(stage.read_bytes / median_s)) << "/s of weights ("
              << Decimal(100 * stage.read_bytes / median_s / machine.read_bytes_per_s(), 0) << " % of memory)";
  }
  if (stage.unit == "steps") {
    const auto one = std::find_if(all.begin(), all.end(), [](const StageTime& each) { return each.name == "decode"; });
    std::cout << ", " << Decimal(PerUnit(stage) / PerUnit(*one), 2) << " times a step of one";
  }
  std::cout << "\n";
}

void PrintMachine(const MachineRates& machine) {
  std::cout << "memory is read at " << Bytes(static_cast<int64_t>(machine.read_bytes_per_s())) << "/s";
  if (machine.ops_per_s() > 0) {
    std::cout << "; " << machine.products() << " products without memory: " << Decimal(machine.ops_per_s() / 1e9, 0)
              << " GOPS";
  }
  std::cout << "\n";
}

int Measure(const Flags& flags) {
  nodes::RuntimeOptions options = flags.runtime.ToOptions();
  nodes::Runtime runtime(options);
  std::unique_ptr<const LoadedWeights> random;
  StageTimingOptions timing;
  timing.num_prompt_tokens = flags.num_prompt_tokens;
  timing.num_output_tokens = flags.num_output_tokens;
  timing.num_repetitions = flags.num_repetitions;
  std::string subject = "random weights of the shape " + flags.shape + ", " + flags.dtype;
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
  MachineRates machine(flags.num_repetitions);
  const auto measure_machine = [&] {
    machine.MeasureReading(kReadingBytes);
    machine.MeasureProducts(context.isa);
  };
  RunOnWorker(runtime.executor(), [&] {
    if (!flags.shape.empty()) {
      random = RandomModel(flags.shape, TypeOf(flags.dtype), context);
    }
    measure_machine();
    const std::vector<StageTime> measured = TimeStages(random ? *random : runtime.OpenModel("").weights(), timing);
    stages.insert(stages.end(), measured.begin(), measured.end());
    measure_machine();
  });
  std::cout << subject << ", " << flags.runtime.mode << ", " << IsaName(context.isa) << ", "
            << runtime.executor().num_workers() << " threads, budget " << timing.image_budget << ", "
            << timing.num_prompt_tokens << " tokens of prompt, " << timing.num_output_tokens << " of answer, "
            << timing.num_repetitions << " repetitions\n";
  PrintMachine(machine);
  std::cout << "stage        median ms   fastest   slowest        rate\n";
  for (const StageTime& stage : stages) {
    PrintStage(stage, stages, machine);
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
  std::vector<std::string> types;
  for (const DType dtype : RandomModelTypes()) {
    types.push_back(TypeName(dtype));
  }
  verb->add_option("--dtype", flags->dtype, "type of the random weights")
      ->capture_default_str()
      ->needs("--shape")
      ->check(CLI::IsMember(types));
  verb->add_option("--image", flags->image, "picture of the stage `read`; else an example of the source tree")
      ->type_name("FILE");
  verb->add_option("--budget", flags->budget, "soft tokens of the picture; else the model's own")
      ->check(CLI::IsMember({70, 140, 280, 560, 1120}));
  verb->add_option("--prompt", flags->num_prompt_tokens, "tokens of the stage `prompt`, which reads text alone")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 20));
  verb->add_option("--tokens", flags->num_output_tokens, "length of the answer")
      ->capture_default_str()
      ->check(CLI::Range(2, 4096));
  verb->add_option("--repetitions", flags->num_repetitions, "how often each stage is measured")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  AddRuntimeFlags(*verb, &flags->runtime);
  verb->get_option("--drafter")->excludes("--shape");
  verb->footer("Examples:\n  percept bench\n  percept bench --shape e2b --dtype q4_0");
  verb->callback([flags, action] { *action = [flags] { return Measure(*flags); }; });
}

}  // namespace percept::cli
