// SPDX-License-Identifier: Apache-2.0
#include "engine/bench/stage_timing.h"

#include <algorithm>
#include <chrono>
#include <memory>
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

struct EncodedPicture final : PictureListener {
  void OnSoftTokens(std::shared_ptr<const SoftTokens> the_tokens) override { tokens = std::move(the_tokens); }
  void OnPictureFailed(FinishReason /*finish*/, std::string reason) override { failure = std::move(reason); }

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
        engine_({.decoder = &*weights.decoder,
                 .vision = weights.vision ? &*weights.vision : nullptr,
                 .stop_ids = {},
                 .suppress_ids = {}},
                {.executor = &steps_}) {}

  std::vector<StageTime> Run() {
    StageTime preprocess{.name = "preprocess", .unit = "soft tokens"};
    StageTime tower{.name = "tower", .unit = "soft tokens"};
    StageTime prefill{.name = "prefill", .unit = "prompt tokens"};
    StageTime decode{.name = "decode", .unit = "tokens"};
    for (int i = 0; i <= options_.num_repetitions; ++i) {
      if (i == 1) {  // the first round only warms up
        for (StageTime* stage : {&preprocess, &tower, &prefill, &decode}) {
          stage->seconds.clear();
        }
      }
      std::shared_ptr<const SoftTokens> tokens;
      if (weights_.vision) {
        tokens = Encode(&tower, Preprocess(&preprocess));
      }
      Answer(tokens, &prefill, &decode);
    }
    std::vector<StageTime> stages;
    for (StageTime* stage : {&preprocess, &tower, &prefill, &decode}) {
      if (!stage->seconds.empty()) {
        std::sort(stage->seconds.begin(), stage->seconds.end());
        stages.push_back(std::move(*stage));
      }
    }
    return stages;
  }

 private:
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
    const auto picture = std::make_shared<EncodedPicture>();
    const Clock::time_point start = Clock::now();
    engine_.SubmitPicture(std::move(patches), picture);
    steps_.RunAll();
    stage->seconds.push_back(Seconds(Clock::now() - start));
    if (picture->tokens == nullptr) {
      throw InternalError("the tower failed: " + picture->failure);
    }
    return picture->tokens;
  }

  void Answer(const std::shared_ptr<const SoftTokens>& tokens, StageTime* prefill, StageTime* decode) {
    const auto answer = std::make_shared<TimedAnswer>();
    engine_.SubmitSequence(MakeRequest(tokens), answer);
    steps_.RunAll();
    if (!answer->failure.empty()) {
      throw InternalError("the decoder failed: " + answer->failure);
    }
    prefill->amount = answer->stats.num_prompt_rows;
    prefill->seconds.push_back(Seconds(answer->stats.first_token));
    decode->amount = answer->stats.num_output_tokens - 1;
    decode->seconds.push_back(Seconds(answer->stats.decode));
    const TextWeights& weights = weights_.decoder->weights();
    decode->read_bytes =
        static_cast<double>(decode->amount) *
        static_cast<double>(static_cast<int64_t>(weights.owned_bytes()) + weights.embed_tokens.size_bytes());
  }

  SequenceRequest MakeRequest(const std::shared_ptr<const SoftTokens>& tokens) const {
    const TextConfig& config = weights_.decoder->config();
    SequenceRequest request{.max_tokens = options_.num_output_tokens};
    std::vector<int32_t>& ids = request.prompt.ids;
    if (tokens != nullptr) {
      const int64_t num_rows = tokens->rows.rows();
      ids.assign(static_cast<size_t>(num_rows), config.token_ids.image.value());
      request.prompt.spans.push_back({.first_row = 0, .num_rows = static_cast<int>(num_rows)});
      request.media.push_back(tokens);
    }
    ids.resize(ids.size() + static_cast<size_t>(options_.num_text_tokens), config.token_ids.bos.value_or(0));
    return request;
  }

  const LoadedWeights& weights_;
  const StageTimingOptions options_;
  const RgbImage picture_;
  StepLoop steps_;
  Engine engine_;
};

}  // namespace

double StageTime::median_s() const {
  const size_t middle = seconds.size() / 2;
  return seconds.size() % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
}

std::vector<StageTime> TimeStages(const LoadedWeights& weights, const StageTimingOptions& options) {
  RequirePositive(options.num_text_tokens, "num_text_tokens");
  RequirePositive(options.num_repetitions, "num_repetitions");
  if (options.num_output_tokens < 2) {
    throw ArgumentError("num_output_tokens is " + std::to_string(options.num_output_tokens) +
                        ": expected at least 2, the first belongs to the prompt's time");
  }
  CheckImageBudget(options.image_budget);
  return StageTimer(weights, options).Run();
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

}  // namespace percept
