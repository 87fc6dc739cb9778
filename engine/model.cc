// SPDX-License-Identifier: Apache-2.0
#include "engine/model.h"

#include <utility>

#include "decoder/text/stop_rule.h"
#include "engine/checkpoint.h"
#include "engine/loaded_weights.h"

namespace percept {

struct Model::Parts {
  Parts(Checkpoint checkpoint, const ModelOptions& options);

  const ModelCard card;
  const ModelConfig config;
  const GenerationConfig generation;
  const ProcessorConfig processor;
  const ChatOptions chat;
  const Tokenizer tokenizer;
  const SpecialTokens tokens;
  const LoadedWeights weights;
  Engine engine;  // last: it stops before what it runs goes
};

namespace {

Checkpoint ReadSupported(const std::filesystem::path& path) {
  Checkpoint checkpoint = ReadCheckpoint(path);
  if (const std::string mechanisms = UnsupportedMechanisms(checkpoint); !mechanisms.empty()) {
    throw CheckpointError(mechanisms);
  }
  return checkpoint;
}

SpecialTokens CheckedTokens(const Tokenizer& tokenizer, const Checkpoint& checkpoint) {
  const SpecialTokens tokens = FindSpecialTokens(tokenizer);
  RequireSameIds(tokens, tokenizer, checkpoint.config.text, checkpoint.config_file());
  return tokens;
}

EngineParts PartsOf(const LoadedWeights& weights, const StopRule& stop_rule, const GenerationConfig& generation) {
  return {.decoder = &*weights.decoder,
          .vision = weights.vision ? &*weights.vision : nullptr,
          .stop_ids = stop_rule.ids(),
          .suppress_ids = generation.suppress_ids};
}

}  // namespace

Model::Parts::Parts(Checkpoint checkpoint, const ModelOptions& options)
    : card(CardOf(checkpoint)),
      config(checkpoint.config),
      generation(checkpoint.generation),
      processor(checkpoint.processor),
      chat{.closed_thought = checkpoint.closed_thought},
      tokenizer(Tokenizer::FromFile(checkpoint.folder / "tokenizer.json")),
      tokens(CheckedTokens(tokenizer, checkpoint)),
      weights(std::move(checkpoint.tensors), config, MakeKernelContext(options.mode, options.max_isa)),
      engine(PartsOf(weights, StopRule(config.text, generation, tokens), generation), options.engine) {}

std::unique_ptr<Model> Model::Open(const std::filesystem::path& path, const ModelOptions& options) {
  return std::unique_ptr<Model>(new Model(std::make_unique<Parts>(ReadSupported(path), options)));
}

ModelCard Model::Inspect(const std::filesystem::path& path) { return CardOf(ReadCheckpoint(path)); }

Model::Model(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Model::~Model() = default;

Engine& Model::engine() { return parts_->engine; }
Mode Model::mode() const { return parts_->weights.context.mode; }
const LoadedWeights& Model::weights() const { return parts_->weights; }
const ModelCard& Model::card() const { return parts_->card; }
const TextConfig& Model::text_config() const { return parts_->config.text; }
const GenerationConfig& Model::generation() const { return parts_->generation; }
const ProcessorConfig& Model::processor() const { return parts_->processor; }
const Tokenizer& Model::tokenizer() const { return parts_->tokenizer; }
const SpecialTokens& Model::special_tokens() const { return parts_->tokens; }

ImagePatches Model::PreparePicture(const RgbView& picture, int budget) const {
  return PreprocessImage(picture, budget, {}, parts_->weights.context);
}

Prompt Model::BuildPrompt(const std::vector<ChatMessage>& messages, std::span<const MediaItem> media) const {
  return percept::BuildPrompt(parts_->tokenizer, parts_->tokens, RenderChat(messages, parts_->chat), media);
}

}  // namespace percept
