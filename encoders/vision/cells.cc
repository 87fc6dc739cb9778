// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/cells.h"

#include <algorithm>
#include <functional>
#include <string>

#include "kernels/ops/each_row.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/gather.h"
#include "kernels/ops/layer_norm.h"

namespace percept {
namespace {

constexpr float kLayerNormEps = 1e-5F;  // no key names it
constexpr int64_t kPatchRowValues = kPatchSide_px * 3;

LayerNormWeights BindNorm(ClaimList& claims, const std::string& name, int64_t width) {
  return {claims.ClaimFloats(name + ".weight", {width}), claims.ClaimFloats(name + ".bias", {width})};
}

void Norm(const KernelContext& context, const LayerNormWeights& weights, MatrixView rows) {
  ops::LayerNorm(context, rows, weights.weight.data(), weights.bias.data(), kLayerNormEps, rows);
}

}  // namespace

CellWeights BindCellWeights(const VisionConfig& config, ClaimList& claims, const KernelContext& context) {
  const std::string prefix = "model.vision_embedder.";
  const int64_t width = config.width;
  CellWeights weights;
  weights.pixel_norm = BindNorm(claims, prefix + "patch_ln1", kCellValues);
  const std::string dense = prefix + "patch_dense.weight";
  weights.dense = ops::LinearWeight::Packed(context, claims.Claim(dense, {width, kCellValues}));
  claims.ReleasePages(dense);
  weights.dense_bias = claims.ClaimFloats(prefix + "patch_dense.bias", {width});
  weights.dense_norm = BindNorm(claims, prefix + "patch_ln2", width);
  weights.positions = claims.Claim(prefix + "pos_embedding", {config.position_rows, 2, width});
  weights.positions.shape = {config.position_rows, 2 * width};
  weights.position_norm = BindNorm(claims, prefix + "pos_norm", width);
  return weights;
}

void GatherCells(const ImagePatches& picture, int64_t first, MatrixView out) {
  constexpr int64_t kSide = kPoolSide_patches;
  const int64_t columns = picture.grid.columns;
  ops::ForEachRow(out.rows, kCellValues, [&](int64_t i) {
    const int64_t x = (first + i) % (columns / kSide);
    const int64_t y = (first + i) / (columns / kSide);
    float* values = out.row(i);
    for (int64_t row = 0; row < kCellSide_px; ++row) {
      for (int64_t patch = 0; patch < kSide; ++patch, values += kPatchRowValues) {
        const int64_t patch_idx = (y * kSide + row / kPatchSide_px) * columns + x * kSide + patch;
        const float* pixels = picture.values.view().row(patch_idx) + row % kPatchSide_px * kPatchRowValues;
        std::copy_n(pixels, kPatchRowValues, values);
      }
    }
  });
}

void EmbedCells(const CellWeights& weights, const KernelContext& context, MatrixView pixels, MatrixView rows,
                Arena& scratch) {
  Norm(context, weights.pixel_norm, pixels);
  ops::Linear(context, weights.dense, pixels, rows, scratch);
  for (int64_t r = 0; r < rows.rows; ++r) {
    std::transform(rows.row(r), rows.row(r) + rows.cols, weights.dense_bias.data(), rows.row(r), std::plus<>());
  }
}

void PlaceCells(const CellWeights& weights, const KernelContext& context, const PatchGrid& grid, int64_t first,
                MatrixView place, MatrixView rows) {
  const int64_t columns = grid.columns / kPoolSide_patches;
  Norm(context, weights.dense_norm, rows);
  for (int64_t r = 0; r < rows.rows; ++r) {
    const auto x = static_cast<int32_t>((first + r) % columns);
    const auto y = static_cast<int32_t>((first + r) / columns);
    ops::GatherRows(context, weights.positions, {&x, 1}, 0, 1.0F, place);
    ops::AddScale(context, rows.Rows(r, 1), place, 1.0F);
    ops::GatherRows(context, weights.positions, {&y, 1}, rows.cols, 1.0F, place);
    ops::AddScale(context, rows.Rows(r, 1), place, 1.0F);
  }
  Norm(context, weights.position_norm, rows);
}

}  // namespace percept
