// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "encoders/vision/config.h"
#include "encoders/vision/patches.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/linear.h"
#include "kernels/weights/claim_list.h"

namespace percept {

inline constexpr int64_t kCellValues = kPatchValues * kPoolSide_patches * kPoolSide_patches;  // 6912

struct LayerNormWeights {
  std::vector<float> weight;
  std::vector<float> bias;
};

// How a picture's cells of 48 x 48 pixels are embedded without a tower (spec vision 4). D = config.width, P =
// position_rows.
struct CellWeights {
  LayerNormWeights pixel_norm;     // [6912]
  ops::LinearWeight dense;         // [D, 6912]
  std::vector<float> dense_bias;   // [D]
  LayerNormWeights dense_norm;     // [D]
  ConstTensor positions;           // [P, 2 * D], mapped: of column p, then of row p
  LayerNormWeights position_norm;  // [D]
};

// Claims and packs them (spec vision 7.2). Throws CheckpointError.
CellWeights BindCellWeights(const VisionConfig& config, ClaimList& claims, const KernelContext& context);

// The pixels of the cells [first, first + out.rows) in raster order, element (row * 48 + column) * 3 + channel.
// out: [cells, 6912].
void GatherCells(const ImagePatches& picture, int64_t first, MatrixView out);

// rows = dense(norm(pixels)) + bias. pixels: [cells, 6912], normed in place; rows: [cells, D].
void EmbedCells(const CellWeights& weights, const KernelContext& context, MatrixView pixels, MatrixView rows,
                Arena& scratch);

// rows = position_norm(dense_norm(rows) + column + row of the position table), in place, for the cells [first, first +
// rows.rows). place: [1, D], scratch.
void PlaceCells(const CellWeights& weights, const KernelContext& context, const PatchGrid& grid, int64_t first,
                MatrixView place, MatrixView rows);

}  // namespace percept
