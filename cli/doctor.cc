// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/machine.h"
#include "cli/machine_rates.h"
#include "cli/quantity.h"
#include "engine/model.h"
#include "graph/run/tbb_executor.h"
#include "kernels/cpu/context.h"

namespace percept::cli {
namespace {

constexpr int kNumReadings = 5;
constexpr int64_t kReadingBytes = int64_t{512} << 20;

// Weights that one step of the decoder reads: every matrix of every layer, of the experts those that a token takes, and
// the output head. Embedding tables are read by the row and do not count.
double DecodeParameters(const TextConfig& text) {
  const double hidden = text.hidden_size;
  double total = hidden * text.vocab_size + hidden * text.ple_width * text.num_layers();
  for (int layer_idx = 0; layer_idx < text.num_layers(); ++layer_idx) {
    const LayerConfig& layer = text.layers[static_cast<size_t>(layer_idx)];
    const double head = layer.head_dim;
    const double num_own_kv = text.owns_kv(layer_idx) ? (layer.k_eq_v ? 1 : 2) : 0;
    total += 2 * hidden * text.num_heads * head + num_own_kv * hidden * layer.num_kv_heads * head;
    total += 3 * hidden * layer.mlp_width + 2 * hidden * text.ple_width;
    if (text.experts) {
      total += hidden * text.experts->num_experts;
      total += 3 * hidden * text.experts->num_experts_per_token * text.experts->width;
    }
  }
  return total;
}

void PrintProducts(const MachineFacts& machine) {
  const KernelContext context = MakeKernelContext(Mode::kFast);
  std::cout << "processor  " << (machine.processor.empty() ? "unknown" : machine.processor) << ", "
            << machine.num_usable_processors << " usable\n"
            << "features  ";
  for (const std::string& feature : machine.features) {
    std::cout << " " << feature;
  }
  std::cout << "\nkernels    " << IsaName(context.isa) << "\n"
            << "products   f32: native; bf16: "
            << (context.native_bf16() ? "native" : "weights are widened to f32 panel by panel") << "\n";
}

void PrintExpectation(const ModelCard& card, const MachineFacts& machine, double bytes_per_second) {
  const double bytes_per_parameter =
      static_cast<double>(card.file_bytes) / static_cast<double>(std::max<int64_t>(card.num_parameters, 1));
  const double step_bytes = DecodeParameters(card.text) * bytes_per_parameter;
  std::cout << "expect     a token reads " << Bytes(static_cast<int64_t>(step_bytes)) << " of weights: about "
            << Decimal(bytes_per_second / step_bytes, step_bytes > 1e9 ? 1 : 0)
            << " tokens a second where they come from memory, more where they fit into caches\n";
  if (card.file_bytes > machine.available_bytes) {
    std::cout << "           the weights do not fit into free memory: they will be read from disk again and again\n";
  }
}

int Examine(const nodes::ModelFiles& files) {
  const MachineFacts machine = ReadMachine();
  PrintProducts(machine);
  MachineRates rates(kNumReadings);
  graph::TbbExecutor executor;
  RunOnWorker(executor, [&] { rates.MeasureReading(kReadingBytes); });
  const double bytes_per_second = rates.read_bytes_per_s();
  std::cout << "memory     " << Bytes(machine.available_bytes) << " free of " << Bytes(machine.memory_bytes)
            << ", read at " << Bytes(static_cast<int64_t>(bytes_per_second)) << " a second (measured)\n";
  const ModelCard card = Model::Inspect(files.model, files.mmproj, files.drafter);
  std::cout << "model      " << card.name << " in " << card.path << ": " << card.num_parameters << " parameters, "
            << Bytes(card.file_bytes) << "\n";
  if (card.drafter) {
    std::cout << "drafter    " << card.drafter->path << ": " << card.drafter->num_parameters << " parameters, "
              << Bytes(card.drafter->file_bytes) << "\n";
  }
  if (!card.unsupported.empty()) {
    std::cout << "           cannot be run by this program: " << card.unsupported << "\n";
    return kWrongArguments;
  }
  PrintExpectation(card, machine, bytes_per_second);
  return kAllDone;
}

}  // namespace

void AddDoctor(CLI::App& app, Action* action) {
  auto flags = std::make_shared<RuntimeFlags>();
  CLI::App* verb = app.add_subcommand("doctor", "Tell what this machine can do, and what to expect of a model on it");
  AddModelFlags(*verb, flags.get());
  verb->footer("Example:\n  percept doctor --model ~/models/gemma-4-E2B-it");
  verb->callback([flags, action] { *action = [flags] { return Examine(flags->ToModelFiles()); }; });
}

}  // namespace percept::cli
