// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "encoders/audio/config.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/linear.h"

namespace percept {

// Turns raw samples into soft tokens, each frame by itself (spec audio 12). Const after construction; any thread.
class FrameProjection {
 public:
  // Of a configuration with a direct projection.
  FrameProjection(const AudioConfig& config, ops::LinearWeight projector, const KernelContext& context);

  // Soft tokens of a clip: its last frame may be a part of one.
  int64_t NumSoftTokens(int64_t num_samples) const;

  // samples: 16 kHz, -1..1; what the last frame lacks is zero. soft_tokens: [NumSoftTokens(samples.size()), hidden].
  // Allocates nothing but in `scratch`.
  void Project(std::span<const float> samples, MatrixView soft_tokens, Arena& scratch) const;

  // Scratch that Project needs for a clip of any length.
  size_t ScratchBytes() const;

  int64_t decoder_hidden() const { return projector_.out_features(); }

 private:
  static constexpr int64_t kTileFrames = 256;

  AudioConfig config_;
  KernelContext context_;
  ops::LinearWeight projector_;  // [hidden, samples of a frame]
};

}  // namespace percept
