// SPDX-License-Identifier: Apache-2.0
#include "engine/model.h"

#include <utility>

#include "decoder/config/drafter_rules.h"
#include "decoder/text/output_collector.h"
#include "decoder/text/stop_rule.h"
#include "engine/checkpoint.h"
#include "engine/loaded_weights.h"

namespace percept {

struct Model::Parts {
  Parts(Checkpoint checkpoint, std::optional<Checkpoint> drafter, const ModelOptions& options);

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

std::optional<Checkpoint> ReadDrafter(const Checkpoint& target, const std::filesystem::path& path) {
  if (path.empty()) return std::nullopt;
  Checkpoint drafter = ReadCheckpoint(path);
  RequireDrafterFor(target.config.text, target.config_file(), drafter.config.text, drafter.config_file());
  return drafter;
}

std::optional<DrafterPart> PartOf(std::optional<Checkpoint> drafter) {
  if (!drafter) return std::nullopt;
  return DrafterPart{std::move(drafter->tensors), std::move(drafter->config.text)};
}

// A context that does not fit is refused before weights are read.
void RequireMemory(const TextConfig& config, const TextConfig* drafter, const ModelOptions& options) {
  const EngineMemory memory = MemoryOf(config, options.engine, drafter);
  if (options.memory_bytes > 0 && memory.sequence_bytes + memory.step_bytes > options.memory_bytes) {
    throw ArgumentError("a context of " + std::to_string(memory.context_tokens) + " tokens needs " +
                        std::to_string(memory.sequence_bytes) + " bytes for its keys and values and " +
                        std::to_string(memory.step_bytes) + " for the scratch of a step; there are " +
                        std::to_string(options.memory_bytes));
  }
}

SpecialTokens CheckedTokens(const Tokenizer& tokenizer, const Checkpoint& checkpoint) {
  const SpecialTokens tokens = FindSpecialTokens(tokenizer);
  RequireSameIds(tokens, tokenizer, checkpoint.config.text, checkpoint.config_file());
  return tokens;
}

EngineParts PartsOf(const LoadedWeights& weights, const StopRule& stop_rule, const GenerationConfig& generation) {
  return {.decoder = &*weights.decoder,
          .vision = weights.vision ? &*weights.vision : nullptr,
          .audio = weights.audio ? &*weights.audio : nullptr,
          .frames = weights.frames ? &*weights.frames : nullptr,
          .drafter = weights.drafter ? &*weights.drafter : nullptr,
          .stop_ids = stop_rule.ids(),
          .suppress_ids = generation.suppress_ids};
}

}  // namespace

Model::Parts::Parts(Checkpoint checkpoint, std::optional<Checkpoint> drafter, const ModelOptions& options)
    : card(CardOf(checkpoint, drafter ? &*drafter : nullptr)),
      config(checkpoint.config),
      generation(checkpoint.generation),
      processor(checkpoint.processor),
      closed_thought(checkpoint.closed_thought),
      tokenizer(ReadTokenizer(checkpoint)),
      tokens(CheckedTokens(tokenizer, checkpoint)),
      weights(std::move(checkpoint.tensors), config, MakeKernelContext(options.mode, options.max_isa),
              PartOf(std::move(drafter))),
      engine(PartsOf(weights, StopRule(config.text, generation, tokens), generation), options.engine) {}

std::unique_ptr<Model> Model::Open(const std::filesystem::path& path, const ModelOptions& options) {
  Checkpoint checkpoint = ReadSupported(path, options);
  std::optional<Checkpoint> drafter = ReadDrafter(checkpoint, options.drafter);
  RequireMemory(checkpoint.config.text, drafter ? &drafter->config.text : nullptr, options);
  return std::unique_ptr<Model>(new Model(std::make_unique<Parts>(std::move(checkpoint), std::move(drafter), options)));
}

ModelCard Model::Inspect(const std::filesystem::path& path, const std::filesystem::path& mmproj,
                         const std::filesystem::path& drafter) {
  const Checkpoint checkpoint = ReadCheckpoint(path, mmproj);
  const std::optional<Checkpoint> its_drafter = ReadDrafter(checkpoint, drafter);
  return CardOf(checkpoint, its_drafter ? &*its_drafter : nullptr);
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
  for (const MediaItem& item : media) RequireTakes(parts_->card, item.kind);
  RequireToolTurnsAnswer(messages);
  return percept::BuildPrompt(parts_->tokenizer, parts_->tokens, RenderChat(messages, options), media);
}

}  // namespace percept
