// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "decoder/config/generation_config.h"
#include "decoder/config/processor_config.h"
#include "decoder/config/text_config.h"
#include "decoder/text/chat.h"
#include "decoder/text/prompt.h"
#include "decoder/text/special_tokens.h"
#include "decoder/text/tokenizer.h"
#include "encoders/vision/patches.h"
#include "engine/engine.h"
#include "engine/model_card.h"
#include "kernels/cpu/context.h"

namespace percept {

struct LoadedWeights;

struct ModelOptions {
  Mode mode = Mode::kFast;
  Isa max_isa = Isa::kAmxBf16;
  EngineOptions engine;
};

// A checkpoint at work: its weights, its tokenizer and prompt format, its card, and the engine that runs it. Everything
// but the engine is const after Open and may be used from any thread.
class Model {
 public:
  // Opens a folder with config.json, tokenizer.json and safetensors files. Every tensor in them is used or known to be
  // unused. Throws CheckpointError that names the file and what is wrong with it, or every mechanism that this program
  // does not run; ArgumentError on an option out of range.
  static std::unique_ptr<Model> Open(const std::filesystem::path& path, const ModelOptions& options);

  // What a checkpoint is, from its headers alone: also of one that cannot be run (card.unsupported says why).
  // Throws CheckpointError where even that cannot be read.
  static ModelCard Inspect(const std::filesystem::path& path);

  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  Engine& engine();
  Mode mode() const;
  const LoadedWeights& weights() const;
  const ModelCard& card() const;
  const TextConfig& text_config() const;
  const GenerationConfig& generation() const;
  const ProcessorConfig& processor() const;
  const Tokenizer& tokenizer() const;
  const SpecialTokens& special_tokens() const;

  // A decoded picture to what the tower takes, at most `budget` soft tokens. Pure; runs in the caller's task.
  // Throws ArgumentError on an unknown budget, InputError on a picture that cannot be used.
  ImagePatches PreparePicture(const RgbView& picture, int budget) const;

  // The conversation in the checkpoint's own format, ending where the model's answer starts. `media` stand in the order
  // of their places in the messages. Throws InputError where the two do not match.
  Prompt BuildPrompt(const std::vector<ChatMessage>& messages, std::span<const MediaItem> media) const;

 private:
  struct Parts;
  explicit Model(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace percept
