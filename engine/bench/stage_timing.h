// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "decoder/config/text_config.h"
#include "encoders/audio/config.h"
#include "encoders/vision/config.h"
#include "encoders/vision/image.h"
#include "engine/loaded_weights.h"

namespace percept {

struct StageTimingOptions {
  ImageSize picture{.width = 1920, .height = 1344};  // fills every budget
  int image_budget = 280;                            // soft tokens
  int64_t num_text_tokens = 32;                      // of the prompt, beside the picture
  int64_t num_prompt_tokens = 512;                   // of a prompt of text alone
  int64_t num_output_tokens = 32;
  int64_t num_samples = 30 * 16000;  // of a clip
  int num_repetitions = 5;           // counted; one more goes before them
};

// One stage of reading a picture, or of what else a decoder does. Times are those of the repetitions, ascending.
struct StageTime {
  std::string_view name;
  std::string_view unit;  // what `amount` counts
  int64_t amount = 0;     // that one repetition works on
  double flops = 0;       // of one repetition, 2 per multiply-add; 0: not counted
  double read_bytes = 0;  // of weights that one repetition reads at least; 0: not counted
  std::vector<double> seconds;

  double median_s() const;
  double fastest_s() const { return seconds.front(); }
  double slowest_s() const { return seconds.back(); }
};

// Each on the workers of the arena that the caller runs in. Of one picture at a time: "preprocess" and "tower" (soft
// tokens), "prefill" (prompt tokens, to the first token of the answer), "decode" (further tokens). Of a clip, where the
// model has a tower for sound: "sound" (soft tokens). Of text alone:
// "prompt" (prompt tokens, to the first token of the answer), "decode x4" and "decode x8" (steps in which so many
// sequences each get one further token), and with a drafter "drafted" (further tokens). Throws ArgumentError on an
// option out of range.
std::vector<StageTime> TimeStages(const LoadedWeights& weights, const StageTimingOptions& options);

// Of the products with weights while a decoder reads a prompt: those of the layers that read a donor's keys and values,
// and of the output matrix, are made for the last row only.
double PromptFlops(const TextConfig& config, int64_t num_tokens);

// Of a tower and its projector on one picture (spec: vision, section 9).
double TowerFlops(const VisionConfig& config, int64_t num_patches, int64_t decoder_hidden);

// Of an audio tower and its projector (spec: audio, section 15).
double AudioTowerFlops(const AudioConfig& config, int64_t num_soft_tokens, int64_t decoder_hidden);

}  // namespace percept
