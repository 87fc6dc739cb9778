// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "encoders/vision/activations.h"
#include "encoders/vision/patches.h"
#include "encoders/vision/tower.h"
#include "kernels/core/tensor.h"
#include "kernels/ops/bf16_rows.h"

namespace percept {

// Pictures on their way through a tower, packed row after row: Begin, RunLayer for each layer in order, Finish; then
// the next batch. Pictures never see each other; in exact mode a picture's result has the same bits alone or packed.
// One thread at a time. No call but the constructor and Reserve allocates.
class VisionBatch {
 public:
  // Scratch for at most max_patches rows in all. The tower outlives the batch.
  VisionBatch(const VisionTower& tower, int64_t max_patches);

  int64_t max_patches() const { return activations_.max_patches; }
  size_t scratch_bytes() const { return activations_.size_bytes(); }
  // Between batches: makes the scratch larger where max_patches asks for more.
  void Reserve(int64_t max_patches);

  // Embeds the patches of all pictures, which are read in this call only. Each fits the tower (RequireFits).
  void Begin(std::span<const ImagePatches* const> pictures);
  void RunLayer(int64_t layer);
  // Pools, projects and writes the soft tokens of picture i to soft_tokens[i]: [soft tokens, decoder_hidden].
  void Finish(std::span<const MatrixView> soft_tokens);

  // The residual stream of a picture after what has run so far: [patches, width]. Of a tower only.
  ConstMatrixView hidden(int64_t picture) const;

 private:
  struct Extent {
    PatchGrid grid;
    int64_t first_row = 0;
  };

  // The rows that one pass of a layer works on.
  struct Tile {
    int64_t first = 0;
    int64_t count = 0;
  };

  template <typename Body>
  void ForEachTile(Tile rows, Body&& body) const;
  MatrixView ResidualOf(const Tile& tile) const { return activations_.residual.Rows(tile.first, tile.count); }

  void EmbedPicture(const ImagePatches& picture, const Tile& rows);
  void EmbedPictureCells(const ImagePatches& picture, const Tile& rows);
  void EmbedPatches(ConstMatrixView values, const Tile& tile);
  void EmbedPositions(std::span<const PatchPosition> positions, const Tile& tile);
  void ComputeAngles(std::span<const PatchPosition> positions, const Tile& tile);
  void ComputeKeysAndValues(const VisionLayerWeights& layer, const Tile& tile);
  void Attend(const VisionLayerWeights& layer, const Tile& tile);
  void AttendWithinPictures(ConstMatrixView queries, const Tile& tile, MatrixView out);
  void FeedForward(const VisionLayerWeights& layer, const Tile& tile);

  // y = weight * x of products that share x.
  struct Product {
    const ops::LinearWeight& weight;
    MatrixView y;
  };

  // x in bf16 where all products read it so and clip it alike.
  std::optional<ops::BF16Rows> RoundedInput(std::span<const Product> products, int64_t rows) const;
  void NormedProducts(ConstMatrixView x, const std::vector<float>& norm, std::span<const Product> products);
  void Linear(const ops::LinearWeight& weight, ConstMatrixView x, MatrixView y);
  void Norm(ConstMatrixView x, const std::vector<float>& weight, MatrixView y) const;
  void NormAdd(ConstMatrixView x, const std::vector<float>& weight, MatrixView residual) const;
  void RotateHeads(const Tile& tile, MatrixView x) const;

  const VisionTower& tower_;
  VisionActivations activations_;
  std::vector<Extent> pictures_;
  int64_t num_rows_ = 0;
};

}  // namespace percept
