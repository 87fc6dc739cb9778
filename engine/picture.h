// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "encoders/vision/patches.h"
#include "engine/request.h"

namespace percept {

// A picture from submission to its terminal call: first waiting, then in a TowerBatch. Used by one thread at a time,
// but for `cancelled`.
struct Picture {
  Picture(ImagePatches the_patches, int64_t decoder_hidden, std::shared_ptr<PictureListener> the_listener);

  // The terminal call. A listener's exception ends here: there is nobody to tell.
  void Finish() noexcept;

  RequestId id = 0;
  int priority = 0;
  std::atomic<bool> cancelled{false};
  ImagePatches patches;  // values are gone once the tower has read them
  const std::shared_ptr<PictureListener> listener;
  std::shared_ptr<SoftTokens> tokens;  // memory for the result, from the start

  bool complete = false;  // tokens hold the result; else finish and failure say why not
  FinishReason finish = FinishReason::kCancelled;
  std::string failure;
};

}  // namespace percept
