// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/frame_projection.h"

#include <algorithm>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/ops/rms_norm.h"

namespace percept {

FrameProjection::FrameProjection(const AudioConfig& config, ops::LinearWeight projector, const KernelContext& context)
    : config_(config), context_(context), projector_(std::move(projector)) {
  PERCEPT_CHECK(config.form == AudioForm::kDirectProjection);
}

int64_t FrameProjection::NumSoftTokens(int64_t num_samples) const {
  return (num_samples + config_.projector_width - 1) / config_.projector_width;
}

size_t FrameProjection::ScratchBytes() const {
  return Arena::MatrixBytes(kTileFrames, config_.projector_width) +
         ops::LinearScratchBytes(kTileFrames, config_.projector_width, decoder_hidden());
}

void FrameProjection::Project(std::span<const float> samples, MatrixView soft_tokens, Arena& scratch) const {
  const Arena::Scope scope(scratch);
  const int64_t width = config_.projector_width;
  const auto num_samples = static_cast<int64_t>(samples.size());
  PERCEPT_CHECK(soft_tokens.rows == NumSoftTokens(num_samples) && soft_tokens.cols == decoder_hidden());
  const MatrixView frames = scratch.AllocateMatrix(kTileFrames, width);
  for (int64_t first = 0; first < soft_tokens.rows; first += kTileFrames) {
    const MatrixView tile = frames.Rows(0, std::min(kTileFrames, soft_tokens.rows - first));
    for (int64_t i = 0; i < tile.rows; ++i) {
      const int64_t begin = (first + i) * width;
      const int64_t count = std::min(width, num_samples - begin);
      std::copy_n(samples.data() + begin, count, tile.row(i));
      std::fill(tile.row(i) + count, tile.row(i) + width, 0.0F);
    }
    ops::RmsNorm(context_, tile, width, /*weight=*/nullptr, static_cast<float>(config_.rms_norm_eps), tile);
    ops::Linear(context_, projector_, tile, soft_tokens.Rows(first, tile.rows), scratch);
  }
}

}  // namespace percept
