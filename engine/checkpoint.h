// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "decoder/config/generation_config.h"
#include "decoder/config/processor_config.h"
#include "engine/loaded_weights.h"
#include "kernels/weights/safetensors.h"

namespace percept {

// A checkpoint's folder, read but not loaded: its settings, and its weights as mapped files.
struct Checkpoint {
  std::filesystem::path folder;
  ModelConfig config;
  GenerationConfig generation;
  ProcessorConfig processor;
  bool closed_thought = false;  // of its chat template
  std::unique_ptr<SafetensorsSource> tensors;

  std::string config_file() const { return (folder / "config.json").string(); }
};

// Throws CheckpointError: `folder` is missing, a file, of another format, or one of its files cannot be used.
// generation_config.json, processor_config.json and chat_template.jinja may be absent.
Checkpoint ReadCheckpoint(const std::filesystem::path& folder);

// Every mechanism of the checkpoint that this program does not run, in words; empty where it runs.
std::string UnsupportedMechanisms(const Checkpoint& checkpoint);

}  // namespace percept
