// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/projector.h"

#include <cmath>

#include "kernels/ops/linear.h"
#include "kernels/ops/pool.h"
#include "kernels/ops/rms_norm.h"

namespace percept {

void PoolCells(const VisionTower& tower, ConstMatrixView x, const PatchGrid& grid, MatrixView pooled) {
  const float factor = std::sqrt(static_cast<float>(tower.config().width));
  ops::AveragePool(tower.context(), x, grid.columns, grid.rows, kPoolSide_patches, factor, pooled);
}

void Standardize(const VisionTower& tower, MatrixView rows) {
  if (!tower.config().standardize) {
    return;
  }
  const float* bias = tower.weights().std_bias.data();
  const float* scale = tower.weights().std_scale.data();
  for (int64_t r = 0; r < rows.rows; ++r) {
    float* row = rows.row(r);
    for (int64_t i = 0; i < rows.cols; ++i) {
      row[i] = (row[i] - bias[i]) * scale[i];
    }
  }
}

void Project(const VisionTower& tower, MatrixView rows, MatrixView soft_tokens, Arena& scratch) {
  const auto eps = static_cast<float>(tower.config().rms_norm_eps);
  ops::RmsNorm(tower.context(), rows, rows.cols, nullptr, eps, rows);
  ops::Linear(tower.context(), tower.weights().projector, rows, soft_tokens, scratch);
}

}  // namespace percept
