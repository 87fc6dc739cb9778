// SPDX-License-Identifier: Apache-2.0
#include "engine/loaded_weights.h"

#include <utility>

#include "kernels/weights/claim_list.h"

namespace percept {

LoadedWeights::LoadedWeights(std::unique_ptr<TensorSource> the_source, const ModelConfig& config,
                             const KernelContext& the_context)
    : source(std::move(the_source)), context(the_context) {
  ClaimList claims(*source);
  decoder.emplace(config.text, TextWeights::Bind(config.text, claims, context), context);
  if (config.vision) {
    vision.emplace(VisionTower::Bind(*config.vision, config.text.hidden_size, claims, context));
  }
  if (config.audio) {
    audio = BindAudioWeights(*config.audio, config.text.hidden_size, claims);
    if (config.audio->form == AudioForm::kDirectProjection) {
      frames.emplace(*config.audio, *audio, context);
    }
  }
  claims.RequireAllClaimed();
}

}  // namespace percept
