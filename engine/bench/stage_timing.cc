// SPDX-License-Identifier: Apache-2.0
#include "engine/bench/stage_timing.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "encoders/vision/patches.h"
#include "engine/engine.h"
#include "engine/request_check.h"
#include "kernels/core/error.h"

namespace percept {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// Runs an engine's steps on the calling thread.
class StepLoop final : public StepExecutor {
 public:
  void Enqueue(StepTask& task) override { next_ = &task; }
  void RunAll() {
    while (StepTask* task = std::exchange(next_, nullptr)) {
      task->Run();
    }
  }

 private:
  StepTask* next_ = nullptr;
};

struct EncodedMedium final : MediumListener {
  void OnSoftTokens(std::shared_ptr<const SoftTokens> the_tokens) override { tokens = std::move(the_tokens); }
  void OnMediumFailed(FinishReason /*finish*/, std::string reason) override { failure = std::move(reason); }

  std::shared_ptr<const SoftTokens> tokens;
  std::string failure;
};

struct TimedAnswer final : SequenceListener {
  void OnTokens(std::span<const int32_t> /*ids*/) override {}
  void OnFinish(FinishReason finish, std::string reason, const SequenceStats& the_stats) override {
    failure = finish == FinishReason::kFailed ? std::move(reason) : "";
    stats = the_stats;
  }

  std::string failure;
  SequenceStats stats;
};

// Smooth colours: what a picture shows does not change how long it takes.
RgbImage TestPicture(ImageSize size) {
  RgbImage image(size);
  for (int64_t y = 0; y < size.height; ++y) {
    uint8_t* row = image.row(y);
    for (int64_t i = 0; i < 3 * size.width; ++i) {
      row[i] = static_cast<uint8_t>(y + i);
    }
  }
  return image;
}

class StageTimer {
 public:
  StageTimer(const LoadedWeights& weights, const StageTimingOptions& options)
      : weights_(weights),
        options_(options),
        picture_(TestPicture(options.picture)),
        engine_(PartsOf(weights), {.executor = &steps_}) {
    if (weights.drafter) {
      EngineParts parts = PartsOf(weights);
      parts.drafter = &*weights.drafter;
      drafting_engine_.emplace(parts, EngineOptions{.executor = &steps_});
    }
  }

  std::vector<StageTime> Run() {
    StageTime preprocess{.name = "preprocess", .unit = "soft tokens"};
    StageTime tower{.name = "tower", .unit = "soft tokens"};
    StageTime prefill{.name = "prefill", .unit = "prompt tokens"};
    StageTime decode{.name = "decode", .unit = "tokens"};
    StageTime sound{.name = "sound", .unit = "soft tokens"};
    StageTime prompt{.name = "prompt", .unit = "prompt tokens"};
    StageTime decode_4{.name = "decode x4", .unit = "steps"};
    StageTime decode_8{.name = "decode x8", .unit = "steps"};
    StageTime drafted{.name = "drafted", .unit = "tokens"};
    const auto all = {&preprocess, &tower, &prefill, &decode, &sound, &prompt, &decode_4, &decode_8, &drafted};
    for (int i = 0; i <= options_.num_repetitions; ++i) {
      if (i == 1) {  // the first round only warms up
        for (StageTime* stage : all) {
          stage->seconds.clear();
        }
      }
      std::shared_ptr<const SoftTokens> tokens;
      if (weights_.vision) {
        tokens = Encode(&tower, Preprocess(&preprocess));
      }
      Answer(MakeRequest(tokens, options_.num_text_tokens), &prefill, &decode);
      if (weights_.audio) {
        Listen(&sound);
      }
      ReadPrompt(&prompt);
      AnswerTogether(4, &decode_4);
      AnswerTogether(8, &decode_8);
      if (drafting_engine_) {
        AnswerWithDrafts(&drafted);
      }
    }
    std::vector<StageTime> stages;
    for (StageTime* stage : all) {
      if (!stage->seconds.empty()) {
        std::sort(stage->seconds.begin(), stage->seconds.end());
        stages.push_back(std::move(*stage));
      }
    }
    return stages;
  }

 private:
  static EngineParts PartsOf(const LoadedWeights& weights) {
    return {.decoder = &*weights.decoder,
            .vision = weights.vision ? &*weights.vision : nullptr,
            .audio = weights.audio ? &*weights.audio : nullptr};
  }

  ImagePatches Preprocess(StageTime* stage) {
    const Clock::time_point start = Clock::now();
    ImagePatches patches = PreprocessImage(picture_.view(), options_.image_budget, {}, weights_.context);
    stage->seconds.push_back(Seconds(Clock::now() - start));
    stage->amount = patches.grid.num_soft_tokens();
    return patches;
  }

  std::shared_ptr<const SoftTokens> Encode(StageTime* stage, ImagePatches patches) {
    stage->amount = patches.grid.num_soft_tokens();
    stage->flops = TowerFlops(weights_.vision->config(), patches.grid.num_patches(), weights_.vision->decoder_hidden());
    const auto picture = std::make_shared<EncodedMedium>();
    const Clock::time_point start = Clock::now();
    engine_.SubmitPicture(std::move(patches), picture);
    return Await(stage, start, *picture);
  }

  std::shared_ptr<const SoftTokens> Await(StageTime* stage, Clock::time_point start, const EncodedMedium& medium) {
    steps_.RunAll();
    stage->seconds.push_back(Seconds(Clock::now() - start));
    if (medium.tokens == nullptr) {
      throw InternalError("the tower failed: " + medium.failure);
    }
    return medium.tokens;
  }

  // What a clip sounds like does not change how long it takes.
  void Listen(StageTime* stage) {
    std::vector<float> samples(static_cast<size_t>(options_.num_samples), 0.25F);
    const auto clip = std::make_shared<EncodedMedium>();
    const Clock::time_point start = Clock::now();
    engine_.SubmitSound(std::move(samples), clip);
    stage->amount = Await(stage, start, *clip)->rows.rows();
    stage->flops = AudioTowerFlops(weights_.audio->config(), stage->amount, weights_.audio->decoder_hidden());
  }

  // Runs requests together, to the end of all; the first one's numbers.
  SequenceStats RunTogether(Engine& engine, const SequenceRequest& request, int num_sequences) {
    std::vector<std::shared_ptr<TimedAnswer>> answers;
    for (int i = 0; i < num_sequences; ++i) {
      answers.push_back(std::make_shared<TimedAnswer>());
      engine.SubmitSequence(SequenceRequest(request), answers.back());
    }
    steps_.RunAll();
    for (const auto& answer : answers) {
      if (!answer->failure.empty()) {
        throw InternalError("the decoder failed: " + answer->failure);
      }
    }
    return answers.front()->stats;
  }

  void Answer(const SequenceRequest& request, StageTime* prefill, StageTime* decode) {
    const SequenceStats stats = RunTogether(engine_, request, 1);
    prefill->amount = stats.num_prompt_rows;
    prefill->seconds.push_back(Seconds(stats.first_token));
    AddDecode(stats, decode);
  }

  void ReadPrompt(StageTime* prompt) {
    SequenceRequest request = MakeRequest(nullptr, options_.num_prompt_tokens);
    request.max_tokens = 1;
    const SequenceStats stats = RunTogether(engine_, request, 1);
    prompt->amount = stats.num_prompt_rows;
    prompt->flops = PromptFlops(weights_.decoder->config(), prompt->amount);
    prompt->seconds.push_back(Seconds(stats.first_token));
  }

  // Short prompts: all are read in one step, and every further step is one of all sequences.
  void AnswerTogether(int num_sequences, StageTime* decode) {
    AddDecode(RunTogether(engine_, MakeRequest(nullptr, 1), num_sequences), decode);
  }

  void AnswerWithDrafts(StageTime* drafted) {
    const SequenceStats stats = RunTogether(*drafting_engine_, MakeRequest(nullptr, options_.num_text_tokens), 1);
    drafted->amount = stats.num_output_tokens - 1;
    drafted->seconds.push_back(Seconds(stats.decode));
  }

  void AddDecode(const SequenceStats& stats, StageTime* decode) const {
    decode->amount = stats.num_output_tokens - 1;
    decode->seconds.push_back(Seconds(stats.decode));
    // Several rows choose more experts than one.
    const bool reads_all = !weights_.decoder->config().experts || decode->unit == "tokens";
    decode->read_bytes = reads_all ? static_cast<double>(decode->amount) * BytesOfOneRow() : 0;
  }

  // Weights that a step of one row reads.
  double BytesOfOneRow() const {
    const TextWeights& weights = weights_.decoder->weights();
    auto bytes = static_cast<double>(weights.owned_bytes());
    if (!weights.lm_head.packed()) {
      bytes += static_cast<double>(weights.embed_tokens.size_bytes());
    }
    const std::optional<ExpertConfig>& experts = weights_.decoder->config().experts;
    for (const LayerWeights& layer : weights.layers) {
      if (!layer.experts) continue;
      double of_experts = 0;
      for (const FeedForwardWeights& expert : layer.experts->experts) {
        for (const ops::LinearWeight* linear : {&expert.gate_proj, &expert.up_proj, &expert.down_proj}) {
          of_experts += static_cast<double>(linear->owned_bytes());
        }
      }
      bytes -= of_experts * (1 - static_cast<double>(experts->num_experts_per_token) / experts->num_experts);
    }
    return bytes;
  }

  SequenceRequest MakeRequest(const std::shared_ptr<const SoftTokens>& tokens, int64_t num_text_tokens) const {
    const TextConfig& config = weights_.decoder->config();
    SequenceRequest request{.max_tokens = options_.num_output_tokens};
    std::vector<int32_t>& ids = request.prompt.ids;
    if (tokens != nullptr) {
      const int64_t num_rows = tokens->rows.rows();
      ids.assign(static_cast<size_t>(num_rows), config.token_ids.image.value());
      request.prompt.spans.push_back({.first_row = 0, .num_rows = static_cast<int>(num_rows)});
      request.media.push_back(tokens);
    }
    ids.resize(ids.size() + static_cast<size_t>(num_text_tokens), config.token_ids.bos.value_or(0));
    return request;
  }

  const LoadedWeights& weights_;
  const StageTimingOptions options_;
  const RgbImage picture_;
  StepLoop steps_;
  Engine engine_;
  std::optional<Engine> drafting_engine_;
};

}  // namespace

double StageTime::median_s() const {
  const size_t middle = seconds.size() / 2;
  return seconds.size() % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
}

std::vector<StageTime> TimeStages(const LoadedWeights& weights, const StageTimingOptions& options) {
  RequirePositive(options.num_text_tokens, "num_text_tokens");
  RequirePositive(options.num_prompt_tokens, "num_prompt_tokens");
  RequirePositive(options.num_repetitions, "num_repetitions");
  if (options.num_output_tokens < 2) {
    throw ArgumentError("num_output_tokens is " + std::to_string(options.num_output_tokens) +
                        ": expected at least 2, the first belongs to the prompt's time");
  }
  CheckImageBudget(options.image_budget);
  return StageTimer(weights, options).Run();
}

double PromptFlops(const TextConfig& config, int64_t num_tokens) {
  const double hidden = config.hidden_size;
  const auto rows = static_cast<double>(num_tokens);
  int last_with_keys = 0;
  for (int i = 0; i < config.num_layers(); ++i) {
    last_with_keys = config.owns_kv(i) ? i : last_with_keys;
  }
  double products = config.vocab_size * hidden;
  for (int i = 0; i < config.num_layers(); ++i) {
    const LayerConfig& layer = config.layers[static_cast<size_t>(i)];
    const double heads_width = static_cast<double>(config.num_heads) * layer.head_dim;
    double of_row = 2 * hidden * heads_width + 3 * hidden * layer.mlp_width + 2 * hidden * config.ple_width;
    if (config.experts) {
      of_row += hidden * config.experts->num_experts +
                3.0 * config.experts->num_experts_per_token * hidden * config.experts->width;
    }
    products += of_row * (i < last_with_keys ? rows : 1);
    if (config.owns_kv(i)) {
      products += rows * hidden * layer.num_kv_heads * layer.head_dim * (layer.k_eq_v ? 1 : 2);
    }
    products += rows * hidden * config.ple_width;
  }
  return 2 * products;
}

double TowerFlops(const VisionConfig& config, int64_t num_patches, int64_t decoder_hidden) {
  const auto patches = static_cast<double>(num_patches);
  const double width = config.width;
  const double heads_width = static_cast<double>(config.num_heads) * config.head_dim;
  const double linears = 8 * width * heads_width + 6 * width * config.mlp_width;
  const double attention = 4 * patches * heads_width;
  const double soft_tokens = patches / (kPoolSide_patches * kPoolSide_patches);
  return patches * (2 * double{kPatchValues} * width + config.num_layers * (linears + attention)) +
         soft_tokens * 2 * width * static_cast<double>(decoder_hidden);
}

double AudioTowerFlops(const AudioConfig& config, int64_t num_soft_tokens, int64_t decoder_hidden) {
  constexpr double kPlaces = 9;  // of a kernel of the two convolutions
  const double width = config.width;
  const auto [first_channels, second_channels] = config.conv_channels;
  const double convolutions = kPlaces * first_channels *
                              (static_cast<double>(kMelBins) +  // two times a token
                               static_cast<double>(kMelBins) / 4 * second_channels);
  const double layer =
      4 * width * config.mlp_width + 7 * width * width + width * (3.0 * config.attention_window + config.conv_kernel);
  const double ends = width * (config.subsampled_width() + config.projector_width) +
                      static_cast<double>(config.projector_width) * static_cast<double>(decoder_hidden);
  return 2 * static_cast<double>(num_soft_tokens) * (convolutions + config.num_layers * layer + ends);
}

}  // namespace percept
