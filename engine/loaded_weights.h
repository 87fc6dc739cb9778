// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "decoder/config/text_config.h"
#include "decoder/model/drafter.h"
#include "decoder/model/text_decoder.h"
#include "encoders/audio/config.h"
#include "encoders/audio/frame_projection.h"
#include "encoders/audio/tower.h"
#include "encoders/vision/config.h"
#include "encoders/vision/tower.h"
#include "kernels/cpu/context.h"
#include "kernels/weights/tensor_source.h"

namespace percept {

// The configurations of a checkpoint's parts.
struct ModelConfig {
  TextConfig text;
  std::optional<VisionConfig> vision;  // absent: no pictures
  std::optional<AudioConfig> audio;    // absent: no sound
};

// A drafter's checkpoint beside that of its target. RequireDrafterFor holds for the two.
struct DrafterPart {
  std::unique_ptr<TensorSource> source;
  TextConfig config;
};

// The weights of a checkpoint, each part with the library that computes with it. Const after load, but for those of a
// tower for sound, which are packed when it first needs them.
struct LoadedWeights {
  // Hands each library its tensors. Throws CheckpointError where a tensor is missing, has another shape, or belongs to
  // none of them.
  LoadedWeights(std::unique_ptr<TensorSource> source, const ModelConfig& config, const KernelContext& context,
                std::optional<DrafterPart> drafter = {});
  LoadedWeights(const LoadedWeights&) = delete;  // the drafter refers to the decoder
  LoadedWeights& operator=(const LoadedWeights&) = delete;

  std::unique_ptr<TensorSource> source;  // the parts below read some tensors in place
  KernelContext context;
  std::optional<TextDecoder> decoder;
  std::optional<VisionTower> vision;
  std::optional<AudioTower> audio;        // sound through a tower
  std::optional<FrameProjection> frames;  // or without one
  std::unique_ptr<TensorSource> drafter_source;
  std::optional<Drafter> drafter;
};

}  // namespace percept
