// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "decoder/config/text_config.h"
#include "decoder/model/text_decoder.h"
#include "encoders/audio/config.h"
#include "encoders/audio/frame_projection.h"
#include "encoders/audio/weights.h"
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

// The weights of a checkpoint, each part with the library that computes with it. Const after load.
struct LoadedWeights {
  // Hands each library its tensors. Throws CheckpointError where a tensor is missing, has another shape, or belongs to
  // none of them.
  LoadedWeights(std::unique_ptr<TensorSource> source, const ModelConfig& config, const KernelContext& context);

  std::unique_ptr<TensorSource> source;  // the parts below read some tensors in place
  KernelContext context;
  std::optional<TextDecoder> decoder;
  std::optional<VisionTower> vision;
  std::optional<AudioWeights> audio;
  std::optional<FrameProjection> frames;  // where sound needs no tower
};

}  // namespace percept
