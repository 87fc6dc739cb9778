// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "encoders/audio/activations.h"
#include "encoders/audio/tower.h"
#include "kernels/core/tensor.h"
#include "kernels/ops/linear.h"

namespace percept {

// Clips on their way through a tower, packed row after row: Begin, RunLayer for each layer in order, Finish; then the
// next batch. Clips never see each other; in exact mode a clip's result has the same bits alone or packed. One thread
// at a time. Calls allocate nothing, but for the constructor, Reserve, and the first that asks the tower for weights
// that it has not packed yet.
class AudioBatch {
 public:
  // Scratch for at most max_tokens soft tokens in all. The tower outlives the batch.
  AudioBatch(const AudioTower& tower, int64_t max_tokens);

  int64_t max_tokens() const { return activations_.max_tokens; }
  size_t scratch_bytes() const { return activations_.size_bytes(); }
  // Between batches: makes the scratch larger where max_tokens asks for more.
  void Reserve(int64_t max_tokens);

  // Embeds the clips, whose log-mel frames ([frames, 128], at least one) are read in this call only.
  void Begin(std::span<const ConstMatrixView> clips);
  void RunLayer(int64_t layer);
  // Writes the soft tokens of clip i to soft_tokens[i]: [soft tokens, decoder_hidden].
  void Finish(std::span<const MatrixView> soft_tokens);

  // The residual stream of a clip after what has run so far: [soft tokens, width].
  ConstMatrixView hidden(int64_t clip) const;

 private:
  // Of the packed rows.
  struct Rows {
    int64_t first = 0;
    int64_t count = 0;
  };

  template <typename Body>
  void ForEachTile(Rows rows, Body&& body) const;
  // Calls body(rows, num_past) for the rows of each clip in the tile; so many rows of the clip, at most max_past, come
  // before them.
  template <typename Body>
  void ForEachClip(Rows tile, int64_t max_past, Body&& body) const;
  MatrixView ResidualOf(Rows tile) const { return activations_.residual.Rows(tile.first, tile.count); }

  void FeedForward(const AudioFeedForward& weights, Rows tile);
  void Attend(const AudioAttention& weights, Rows tile);
  void Convolve(const AudioLightConv& weights, Rows tile);
  void NormedProduct(ConstMatrixView x, const std::vector<float>& norm, const ops::LinearWeight& weight, MatrixView y);

  void Linear(const ops::LinearWeight& weight, ConstMatrixView x, MatrixView y);
  void Norm(ConstMatrixView x, const std::vector<float>& weight, MatrixView y) const;
  void NormAdd(ConstMatrixView x, const std::vector<float>& weight, MatrixView residual) const;

  const AudioTower& tower_;
  AudioActivations activations_;
  std::vector<Rows> clips_;
  int64_t num_rows_ = 0;
};

}  // namespace percept
