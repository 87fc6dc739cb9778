// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "encoders/vision/patches.h"
#include "engine/request.h"

namespace percept {

using SoundSamples = std::vector<float>;  // 16 kHz, -1..1

// What an engine calls the media of one kind.
struct TowerWords {
  const char* tower;  // "vision tower"
  // Names of trace events.
  const char* submit;
  const char* layer;
  const char* done;
};

// A picture or a clip from submission to its terminal call: first waiting, then in a TowerBatch. Used by one thread at
// a time, but for `cancelled`.
struct Medium {
  // With memory for the result, from the start. num_rows: that it takes in its tower.
  Medium(const TowerWords& the_words, std::variant<ImagePatches, SoundSamples> the_content, int64_t the_num_rows,
         Matrix soft_tokens, std::shared_ptr<MediumListener> the_listener, const Urgency& the_urgency);

  // The terminal call. A listener's exception ends here: there is nobody to tell.
  void Finish() noexcept;

  RequestId id = 0;
  const TowerWords words;
  const Urgency urgency;
  std::atomic<bool> cancelled{false};
  std::variant<ImagePatches, SoundSamples> content;  // values and samples are gone once the tower has read them
  const int64_t num_rows;
  const std::shared_ptr<MediumListener> listener;
  std::shared_ptr<SoftTokens> tokens;

  bool complete = false;  // tokens hold the result; else finish and failure say why not
  FinishReason finish = FinishReason::kCancelled;
  std::string failure;
};

}  // namespace percept
