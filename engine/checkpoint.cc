// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint.h"

#include <fstream>
#include <string_view>
#include <system_error>

#include "decoder/text/chat.h"
#include "kernels/weights/json_section.h"

namespace percept {
namespace {

namespace fs = std::filesystem;

bool IsGguf(const fs::path& file) {
  char magic[4] = {};
  std::ifstream(file, std::ios::binary).read(magic, sizeof(magic));
  return std::string_view(magic, sizeof(magic)) == "GGUF";
}

void RequireModelFolder(const fs::path& path) {
  constexpr std::string_view kExpected = "expected a folder with config.json, tokenizer.json and model.safetensors";
  std::error_code ignored;
  const auto fail = [&](std::string_view reason) {
    throw CheckpointError(path.string() + ": " + std::string(reason) + ": " + std::string(kExpected));
  };
  if (!fs::exists(path, ignored)) {
    fail("no such folder");
  }
  if (!fs::is_directory(path, ignored)) {
    fail(IsGguf(path) ? "a GGUF file, which this version does not read" : "a file, not a folder");
  }
  if (!fs::exists(path / "config.json", ignored)) {
    fail("no config.json in this folder");
  }
}

bool Exists(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

}  // namespace

Checkpoint ReadCheckpoint(const fs::path& folder) {
  RequireModelFolder(folder);
  Checkpoint checkpoint;
  checkpoint.folder = folder;
  const fs::path config_file = folder / "config.json";
  checkpoint.config.text = ReadTextConfig(config_file);
  checkpoint.config.vision = ReadVisionConfig(config_file);
  checkpoint.config.audio = ReadAudioConfig(config_file);
  if (const fs::path file = folder / "generation_config.json"; Exists(file)) {
    checkpoint.generation = ReadGenerationConfig(file);
  }
  if (const fs::path file = folder / "processor_config.json"; Exists(file)) {
    checkpoint.processor = ReadProcessorConfig(file);
  }
  if (const fs::path file = folder / "chat_template.jinja"; Exists(file)) {
    checkpoint.closed_thought = EmitsClosedThought(ReadTextFile(file));
  }
  checkpoint.tensors = OpenSafetensors(folder);
  return checkpoint;
}

std::string UnsupportedMechanisms(const Checkpoint& checkpoint) {
  std::string mechanisms;
  const auto collect = [&](const auto& config) {
    try {
      RequireSupported(config, checkpoint.config_file());
    } catch (const CheckpointError& error) {
      mechanisms += (mechanisms.empty() ? "" : "; ") + std::string(error.what());
    }
  };
  collect(checkpoint.config.text);
  if (checkpoint.config.vision) {
    collect(*checkpoint.config.vision);
  }
  return mechanisms;
}

}  // namespace percept
