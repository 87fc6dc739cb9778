// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/layer_norm.h"

#include <cmath>

#include "kernels/core/check.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/each_row.h"

#define PERCEPT_KERNELS "kernels/ops/layer_norm_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

void LayerNorm(const KernelContext& context, ConstMatrixView x, const float* weight, const float* bias, float eps,
               MatrixView y) {
  PERCEPT_CHECK(x.rows == y.rows && x.cols == y.cols && x.cols > 0);
  ForEachRow(x.rows, 3 * x.cols, [&](int64_t r) {
    PERCEPT_DISPATCH(context.isa, CenterAndScaleRow(x.row(r), x.cols, weight, bias, eps, y.row(r)));
  });
}

}  // namespace percept::ops
