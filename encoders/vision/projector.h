// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "encoders/vision/image_size.h"
#include "encoders/vision/tower.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"

namespace percept {

// The way from the last layer (or from embedded cells: Project alone) to soft tokens, all in f32 (spec vision 3.6
// to 3.8).

// pooled = sqrt(D) * mean of each 3x3 cell; x: [patches, D], pooled: [soft tokens, D].
void PoolCells(const VisionTower& tower, ConstMatrixView x, const PatchGrid& grid, MatrixView pooled);

// rows = (rows - std_bias) * std_scale, in place; nothing where the tower does not standardize. rows: [n, D].
void Standardize(const VisionTower& tower, MatrixView rows);

// soft_tokens = RmsNorm(rows) * projector^T. rows: [n, D], normed in place; soft_tokens: [n, decoder_hidden].
void Project(const VisionTower& tower, MatrixView rows, MatrixView soft_tokens, Arena& scratch);

}  // namespace percept
