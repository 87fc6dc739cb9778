// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "encoders/audio/audio_batch.h"
#include "encoders/audio/frame_projection.h"
#include "encoders/audio/tower.h"
#include "engine/tower_batch.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"

namespace percept {

// Of clips; their rows are soft tokens. The scratch is made for the first clip, and then kept: for as many tokens as
// the limit allows, or as the longest single clip has had, of which the system backs what is used.
class SoundBatch final : public TowerBatch {
 public:
  SoundBatch(const AudioTower& tower, int64_t max_tokens, TraceSink* trace);

 private:
  int64_t num_layers() const override { return tower_.num_layers(); }
  void ReserveRows(int64_t num_tokens) override;
  void Embed(std::span<Medium* const> clips) override;
  void RunLayer(int64_t layer) override { batch_->RunLayer(layer); }
  void Project(std::span<const MatrixView> soft_tokens) override { batch_->Finish(soft_tokens); }

  const AudioTower& tower_;
  const int64_t max_tokens_;
  std::optional<AudioBatch> batch_;
  Matrix log_mel_;                      // [4 * tokens, 128], of all clips
  std::vector<ConstMatrixView> clips_;  // an argument, kept for its memory
};

// The same for a checkpoint that projects raw samples: one step.
class FrameBatch final : public TowerBatch {
 public:
  FrameBatch(const FrameProjection& frames, int64_t max_tokens, TraceSink* trace);

 private:
  int64_t num_layers() const override { return 0; }
  void ReserveRows(int64_t num_tokens) override;
  void Embed(std::span<Medium* const> clips) override;
  void RunLayer(int64_t /*layer*/) override {}
  void Project(std::span<const MatrixView> /*soft_tokens*/) override {}

  const FrameProjection& frames_;
  std::optional<Arena> scratch_;
};

}  // namespace percept
