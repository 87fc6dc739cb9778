// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "decoder/config/generation_config.h"
#include "decoder/config/processor_config.h"
#include "decoder/text/tokenizer.h"
#include "engine/loaded_weights.h"
#include "kernels/weights/gguf_metadata.h"
#include "kernels/weights/tensor_source.h"

namespace percept {

// A tensor as its file has it: name and type are the file's.
struct StoredTensor {
  std::string name;
  std::string dtype;
  int64_t elements = 0;
};

// A checkpoint, read but not loaded: its settings, and its weights as mapped files.
struct Checkpoint {
  std::filesystem::path path;         // a folder, or the GGUF file of the text decoder
  std::filesystem::path config_path;  // the file that names its mechanisms, for messages
  ModelConfig config;
  GenerationConfig generation;
  ProcessorConfig processor;
  bool has_mmproj = false;  // encoders come from a GGUF file of their own
  bool has_chat_template = false;
  bool closed_thought = false;  // what its chat template writes
  std::vector<StoredTensor> stored;
  int64_t file_bytes = 0;  // of the weight files
  std::unique_ptr<TensorSource> tensors;
  const GgufMetadata* gguf = nullptr;  // of the text decoder's file, owned by `tensors`; null for safetensors

  std::string config_file() const { return config_path.string(); }
};

// `path` is a folder of safetensors, or a GGUF file, or a folder with one; `mmproj` the GGUF file of its encoders,
// empty where a folder's own, or none, is meant. Throws CheckpointError: something is missing, of another format, or
// one of the files cannot be used. generation_config.json, processor_config.json and chat_template.jinja may be absent.
Checkpoint ReadCheckpoint(const std::filesystem::path& path, const std::filesystem::path& mmproj = {});

// Throws CheckpointError.
Tokenizer ReadTokenizer(const Checkpoint& checkpoint);

// Every mechanism of the checkpoint that this program does not run, in words; empty where it runs.
std::string UnsupportedMechanisms(const Checkpoint& checkpoint);

}  // namespace percept
