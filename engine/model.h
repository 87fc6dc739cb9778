// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>

#include "decoder/config/generation_config.h"
#include "decoder/config/processor_config.h"
#include "decoder/config/text_config.h"
#include "decoder/text/chat.h"
#include "decoder/text/prompt.h"
#include "decoder/text/special_tokens.h"
#include "decoder/text/token_constraint.h"
#include "decoder/text/tokenizer.h"
#include "encoders/vision/patches.h"
#include "engine/engine.h"
#include "engine/generate.h"
#include "engine/model_card.h"
#include "kernels/cpu/context.h"

namespace percept {

struct LoadedWeights;

struct ModelOptions {
  Mode mode = Mode::kFast;
  Isa max_isa = Isa::kAmxBf16;
  std::filesystem::path mmproj;  // GGUF file of the encoders of a GGUF model; empty: those in its folder, or none
  // A drafter made for this model: a folder or a GGUF file. Empty: none.
  std::filesystem::path drafter;
  MediaRunMask media_run_mask = MediaRunMask::kSlidingLayers;  // where rows of a picture see each other
  EngineOptions engine;
  // That there are for the keys and values of a sequence that fills the context, and for the scratch of a step: a
  // context that needs more is refused. 0: nobody looked.
  int64_t memory_bytes = 0;
};

// A checkpoint at work: its weights, its tokenizer and prompt format, its card, and the engine that runs it. Everything
// but the engine is const after Open and may be used from any thread.
class Model {
 public:
  // Opens a folder with config.json, tokenizer.json and safetensors files, or a GGUF file, or a folder with one. Every
  // tensor in them is used or known to be unused. Throws CheckpointError that names the file and what is wrong with it,
  // or every mechanism that this program does not run; ArgumentError on an option out of range and on a
  // context that does not fit the limits or the memory; both before weights are read.
  static std::unique_ptr<Model> Open(const std::filesystem::path& path, const ModelOptions& options);

  // What a checkpoint is, from its headers alone: also of one that cannot be run (card.unsupported says why).
  // Throws CheckpointError where even that cannot be read.
  static ModelCard Inspect(const std::filesystem::path& path, const std::filesystem::path& mmproj = {},
                           const std::filesystem::path& drafter = {});

  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // The engine without a graph: encodes the media, answers, and returns with the end. Waits on the caller's thread,
  // where `on_text` is called too; the work is done by the executor's, beside whatever else the engine does. Any thread
  // but the executor's own, several at once. `stop` cancels between two steps: what there is of the answer comes back
  // with kCancelled. A step that fails comes back as kFailed. An exception of `on_text` cancels and is passed on.
  // Throws ArgumentError where the request has neither or both of prompt and messages, and on an unknown budget;
  // CheckpointError, before any work, where there are pictures or sounds and the checkpoint takes none; InputError on a
  // medium that cannot be used, where media and messages do not match, and on a prompt that leaves no room in the
  // context.
  Generation Generate(const GenerateRequest& request, const OnText& on_text = {}, const std::stop_token& stop = {});

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

  // For one request with this prompt: its answer has the form, after a thought where the prompt leaves one open or asks
  // for one. The model outlives the request.
  std::shared_ptr<TokenConstraint> Constrain(std::shared_ptr<const Automaton> form, const Prompt& prompt,
                                             bool enable_thinking) const;

  // The conversation in the checkpoint's own format (`options` but for closed_thought, which the checkpoint says).
  // `media` stand in the order of their places in the messages. Throws CheckpointError where the checkpoint takes none
  // of their kind; InputError where the two do not match, a tool's turn follows no call, or a tool's JSON is not what
  // it should be.
  Prompt BuildPrompt(const std::vector<ChatMessage>& messages, std::span<const MediaItem> media,
                     ChatOptions options = {}) const;

 private:
  struct Parts;
  explicit Model(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace percept
