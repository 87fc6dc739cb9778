// SPDX-License-Identifier: Apache-2.0
#include "engine/model.h"

#include <utility>

#include "decoder/text/output_collector.h"
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
  const bool closed_thought;
  const Tokenizer tokenizer;
  const SpecialTokens tokens;
  const LoadedWeights weights;
  Engine engine;  // last: it stops before what it runs goes
};

namespace {

Checkpoint ReadSupported(const std::filesystem::path& path, const ModelOptions& options) {
  Checkpoint checkpoint = ReadCheckpoint(path, options.mmproj);
  checkpoint.config.text.media_run_mask = options.media_run_mask;
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
      closed_thought(checkpoint.closed_thought),
      tokenizer(ReadTokenizer(checkpoint)),
      tokens(CheckedTokens(tokenizer, checkpoint)),
      weights(std::move(checkpoint.tensors), config, MakeKernelContext(options.mode, options.max_isa)),
      engine(PartsOf(weights, StopRule(config.text, generation, tokens), generation), options.engine) {}

std::unique_ptr<Model> Model::Open(const std::filesystem::path& path, const ModelOptions& options) {
  return std::unique_ptr<Model>(new Model(std::make_unique<Parts>(ReadSupported(path, options), options)));
}

ModelCard Model::Inspect(const std::filesystem::path& path, const std::filesystem::path& mmproj) {
  return CardOf(ReadCheckpoint(path, mmproj));
}

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

std::shared_ptr<const SoftTokens> Model::ProjectSound(std::span<const float> samples) const {
  const std::optional<FrameProjection>& frames = parts_->weights.frames;
  if (!frames) {
    throw ArgumentError("this model has no direct projection of sound");
  }
  if (samples.empty()) {
    throw InputError("a clip without samples");
  }
  Matrix rows(frames->NumSoftTokens(static_cast<int64_t>(samples.size())), frames->decoder_hidden());
  frames->Project(samples, rows.view());
  return std::make_shared<const SoftTokens>(SoftTokens{std::move(rows)});
}

std::shared_ptr<TokenConstraint> Model::Constrain(std::shared_ptr<const Automaton> form, const Prompt& prompt,
                                                  bool enable_thinking) const {
  const StopRule stop_rule(parts_->config.text, parts_->generation, parts_->tokens);
  const bool in_thought = OutputCollector::StartAfter(prompt.ids, parts_->tokens) == OutputCollector::Start::kReasoning;
  return std::make_shared<TokenConstraint>(std::move(form), parts_->tokenizer, parts_->tokens, stop_rule.ids(),
                                           TokenConstraint::Place{in_thought, enable_thinking});
}

Prompt Model::BuildPrompt(const std::vector<ChatMessage>& messages, std::span<const MediaItem> media,
                          ChatOptions options) const {
  options.closed_thought = parts_->closed_thought;
  RequireToolTurnsAnswer(messages);
  return percept::BuildPrompt(parts_->tokenizer, parts_->tokens, RenderChat(messages, options), media);
}

}  // namespace percept
