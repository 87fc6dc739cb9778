// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/projector.h"

#include "kernels/ops/linear.h"
#include "kernels/ops/rms_norm.h"

namespace percept {

void ProjectOutput(const AudioTower& tower, ConstMatrixView x, MatrixView output, Arena& scratch) {
  ops::Linear(tower.context(), tower.ends().output_projection, x, output, scratch);
  const std::vector<float>& bias = tower.ends().output_bias;
  for (int64_t r = 0; r < output.rows; ++r) {
    for (int64_t i = 0; i < output.cols; ++i) {
      output.row(r)[i] += bias[static_cast<size_t>(i)];
    }
  }
}

void Project(const AudioTower& tower, MatrixView output, MatrixView soft_tokens, Arena& scratch) {
  const auto eps = static_cast<float>(tower.config().rms_norm_eps);
  ops::RmsNorm(tower.context(), output, output.cols, nullptr, eps, output);
  ops::Linear(tower.context(), tower.ends().projector, output, soft_tokens, scratch);
}

}  // namespace percept
