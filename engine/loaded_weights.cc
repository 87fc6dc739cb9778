// SPDX-License-Identifier: Apache-2.0
#include "engine/loaded_weights.h"

#include <utility>

#include "encoders/audio/weights.h"
#include "kernels/weights/claim_list.h"

namespace percept {

LoadedWeights::LoadedWeights(std::unique_ptr<TensorSource> the_source, const ModelConfig& config,
                             const KernelContext& the_context, std::optional<DrafterPart> the_drafter)
    : source(std::move(the_source)), context(the_context) {
  ClaimList claims(*source);
  decoder.emplace(config.text, TextWeights::Bind(config.text, claims, context), context);
  if (config.vision) {
    vision.emplace(VisionTower::Bind(*config.vision, config.text.hidden_size, claims, context));
  }
  if (config.audio) {
    if (config.audio->form == AudioForm::kDirectProjection) {
      frames.emplace(*config.audio, BindAudioProjector(*config.audio, config.text.hidden_size, claims, context),
                     context);
    } else {
      audio.emplace(*config.audio, config.text.hidden_size, claims, context);
    }
  }
  claims.RequireAllClaimed();
  if (the_drafter) {
    drafter_source = std::move(the_drafter->source);
    ClaimList drafter_claims(*drafter_source);
    drafter.emplace(the_drafter->config, DrafterWeights::Bind(the_drafter->config, drafter_claims, context), *decoder);
    drafter_claims.RequireAllClaimed();
  }
}

}  // namespace percept
