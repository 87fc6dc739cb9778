// SPDX-License-Identifier: Apache-2.0
#include "engine/checkpoint.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>
#include <system_error>
#include <utility>

#include "decoder/config/gguf_config.h"
#include "decoder/text/chat.h"
#include "encoders/audio/gguf_config.h"
#include "encoders/vision/gguf_config.h"
#include "engine/checkpoint_files.h"
#include "kernels/weights/gguf.h"
#include "kernels/weights/json_section.h"
#include "kernels/weights/packed_int4.h"
#include "kernels/weights/safetensors.h"

namespace percept {
namespace {

namespace fs = std::filesystem;

bool Exists(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

// The codes of a packed layer are its parameters.
void List(const TensorEntry& entry, std::vector<StoredTensor>* stored) {
  constexpr int64_t kCodesPerWord = 8;
  if (entry.name.ends_with(kPackedShape)) return;
  const bool is_packed = entry.name.ends_with(kPackedCodes);
  stored->push_back({entry.name, is_packed ? "INT4" : entry.dtype, entry.elements() * (is_packed ? kCodesPerWord : 1)});
}

bool IsPacked(const SafetensorsSource& source) {
  return std::any_of(source.entries().begin(), source.entries().end(),
                     [](const TensorEntry& entry) { return entry.name.ends_with(kPackedCodes); });
}

Checkpoint ReadFolder(const fs::path& folder) {
  Checkpoint checkpoint;
  checkpoint.path = folder;
  checkpoint.config_path = folder / "config.json";
  checkpoint.config.text = ReadTextConfig(checkpoint.config_path);
  checkpoint.config.vision = ReadVisionConfig(checkpoint.config_path);
  checkpoint.config.audio = ReadAudioConfig(checkpoint.config_path);
  if (const fs::path file = folder / "generation_config.json"; Exists(file)) {
    checkpoint.generation = ReadGenerationConfig(file);
  }
  if (const fs::path file = folder / "processor_config.json"; Exists(file)) {
    checkpoint.processor = ReadProcessorConfig(file);
    if (checkpoint.config.audio && checkpoint.config.audio->form == AudioForm::kTower) {
      RequireKnownLogMel(ReadTextFile(file), file.string());
    }
  }
  if (const fs::path file = folder / "chat_template.jinja"; Exists(file)) {
    checkpoint.has_chat_template = true;
    checkpoint.closed_thought = EmitsClosedThought(ReadTextFile(file));
  }
  std::unique_ptr<SafetensorsSource> source = OpenSafetensors(folder);
  for (const TensorEntry& entry : source->entries()) List(entry, &checkpoint.stored);
  checkpoint.file_bytes = source->file_bytes();
  if (IsPacked(*source)) {
    checkpoint.tensors = std::make_unique<PackedInt4Source>(std::move(source));
  } else {
    checkpoint.tensors = std::move(source);
  }
  return checkpoint;
}

void List(const GgufHeader& header, std::vector<StoredTensor>* stored) {
  for (const GgufTensor& tensor : header.tensors) {
    stored->push_back({tensor.name, std::string(tensor.type),
                       std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1}, std::multiplies<>())});
  }
}

// Encoders say how wide the rows are that they make for a decoder.
void RequireSameWidth(const GgufMetadata& mmproj, const GgufMetadata& text, int64_t hidden_size) {
  for (const char* key : {"clip.vision.projection_dim", "clip.audio.projection_dim"}) {
    if (!mmproj.Has(key)) continue;
    if (const int64_t width = mmproj.Integer(key); width != hidden_size) {
      mmproj.Fail(key, "is " + std::to_string(width) + ", but the decoder in " + text.file() + " has width " +
                           std::to_string(hidden_size) + ": an mmproj file of another model");
    }
  }
}

EncoderKind KindOf(bool is_tower) { return is_tower ? EncoderKind::kTower : EncoderKind::kDirectProjection; }

void ReadEncoders(const GgufSource& source, size_t file_idx, ModelConfig* config) {
  RequireSameWidth(source.metadata(file_idx), source.metadata(0), config->text.hidden_size);
  config->vision = VisionConfigFromGguf(source, file_idx);
  config->audio = AudioConfigFromGguf(source, file_idx);
  if (config->vision) config->text.vision = KindOf(config->vision->form == VisionForm::kTower);
  if (config->audio) config->text.audio = KindOf(config->audio->form == AudioForm::kTower);
}

Checkpoint ReadGguf(const CheckpointFiles& files) {
  std::vector<fs::path> paths = {files.text_gguf};
  if (!files.mmproj_gguf.empty()) paths.push_back(files.mmproj_gguf);
  auto source = std::make_unique<GgufSource>(paths);
  Checkpoint checkpoint;
  checkpoint.path = files.text_gguf;
  checkpoint.config_path = files.text_gguf;
  checkpoint.gguf = &source->metadata(0);
  checkpoint.config.text = TextConfigFromGguf(*source);
  checkpoint.has_mmproj = paths.size() > 1;
  ReadEncoders(*source, checkpoint.has_mmproj ? 1 : 0, &checkpoint.config);
  checkpoint.generation = GenerationConfigFromGguf(*checkpoint.gguf);
  if (constexpr std::string_view kTemplate = "tokenizer.chat_template"; checkpoint.gguf->Has(kTemplate)) {
    checkpoint.has_chat_template = true;
    checkpoint.closed_thought = EmitsClosedThought(checkpoint.gguf->String(kTemplate));
  }
  for (size_t i = 0; i < paths.size(); ++i) List(source->header(i), &checkpoint.stored);
  checkpoint.file_bytes = source->file_bytes();
  checkpoint.tensors = std::move(source);
  return checkpoint;
}

}  // namespace

Checkpoint ReadCheckpoint(const fs::path& path, const fs::path& mmproj) {
  const CheckpointFiles files = FindCheckpointFiles(path, mmproj);
  return files.folder.empty() ? ReadGguf(files) : ReadFolder(files.folder);
}

Tokenizer ReadTokenizer(const Checkpoint& checkpoint) {
  return checkpoint.gguf != nullptr ? Tokenizer::FromGguf(*checkpoint.gguf)
                                    : Tokenizer::FromFile(checkpoint.path / "tokenizer.json");
}

std::string UnsupportedMechanisms(const Checkpoint& checkpoint) {
  try {
    RequireSupported(checkpoint.config.text, checkpoint.config_file());
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return {};
}

}  // namespace percept
