// SPDX-License-Identifier: Apache-2.0
#include "engine/model.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/quantity.h"

namespace percept::cli {
namespace {

void PrintDecoder(const TextConfig& text) {
  const auto num_full = std::count_if(text.layers.begin(), text.layers.end(),
                                      [](const LayerConfig& layer) { return layer.kind == AttentionKind::kFull; });
  int num_shared = 0;
  for (int layer_idx = 0; layer_idx < text.num_layers(); ++layer_idx) {
    num_shared += text.owns_kv(layer_idx) ? 0 : 1;
  }
  std::cout << "decoder     " << text.num_layers() << " layers (" << num_full << " with full attention, " << num_shared
            << " on keys and values of others), width " << text.hidden_size << ", " << text.num_heads
            << " heads, window " << text.sliding_window << "\n"
            << "vocabulary  " << text.vocab_size << " tokens\n"
            << "context     " << text.max_positions << " tokens\n";
  if (text.ple_width > 0) {
    std::cout << "per-layer embeddings of width " << text.ple_width << "\n";
  }
}

int InspectModel(const std::string& path) {
  const ModelCard card = Model::Inspect(ResolveModel(path));
  std::cout << "name        " << card.name << "\n"
            << "path        " << card.path << "\n"
            << "parameters  " << card.num_parameters << " in " << card.num_tensors << " tensors, "
            << Bytes(card.file_bytes) << "\n";
  for (const auto& [dtype, num_parameters] : card.dtypes) {
    std::cout << "  " << dtype << "  " << num_parameters << "\n";
  }
  PrintDecoder(card.text);
  if (card.num_vision_layers > 0) {
    std::cout << "vision      tower of " << card.num_vision_layers << " layers, " << card.default_image_budget
              << " soft tokens per picture unless told otherwise\n";
  }
  if (card.num_audio_layers > 0) {
    std::cout << "audio       tower of " << card.num_audio_layers << " layers\n";
  }
  if (!card.unsupported.empty()) {
    std::cout << "cannot be run by this program: " << card.unsupported << "\n";
  }
  return kAllDone;
}

}  // namespace

void AddModel(CLI::App& app, Action* action) {
  CLI::App* model = app.add_subcommand("model", "Look at checkpoints");
  model->require_subcommand(1);
  model->footer("Example:\n  percept model inspect models/percept-tiny");
  auto path = std::make_shared<std::string>();
  CLI::App* verb = model->add_subcommand("inspect", "Tell what a checkpoint is, from its headers alone");
  verb->add_option("path", *path, "folder of a checkpoint; else $PERCEPT_MODEL, else the embedded model")
      ->type_name("PATH");
  verb->footer("Example:\n  percept model inspect ~/models/gemma-4-E2B-it");
  verb->callback([path, action] { *action = [path] { return InspectModel(*path); }; });
}

}  // namespace percept::cli
