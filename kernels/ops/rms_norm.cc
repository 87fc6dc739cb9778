// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/rms_norm.h"

#include <cmath>

#include "kernels/core/check.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/each_row.h"

#define PERCEPT_KERNELS "kernels/ops/rms_norm_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

void RmsNorm(const KernelContext& context, ConstMatrixView x, int64_t group, const float* weight, float eps,
             MatrixView y) {
  PERCEPT_CHECK(x.rows == y.rows && x.cols == y.cols);
  PERCEPT_CHECK(group > 0 && x.cols % group == 0);
  ForEachRow(x.rows, x.cols, [&](int64_t r) {
    PERCEPT_DISPATCH(context.isa, NormalizeRow(x.row(r), x.cols, group, weight, eps, y.row(r)));
  });
}

void RmsNorm(const KernelContext& context, ConstMatrixView x, const float* weight, float eps, const BF16Rows& y) {
  PERCEPT_CHECK(x.rows == y.rows && x.cols == y.cols && weight != nullptr && context.native_bf16());
  ForEachRow(x.rows, x.cols, [&](int64_t r) {
    const float inverse_rms = PERCEPT_DISPATCH(context.isa, InverseRms(x.row(r), x.cols, eps));
    FillBF16Row(y, r, [&](int64_t first, int64_t count, float* values) {
      PERCEPT_DISPATCH(context.isa, Normalize(x.row(r) + first, count, inverse_rms, weight + first, values));
    });
  });
}

void RmsNormAdd(const KernelContext& context, ConstMatrixView x, const float* weight, float eps, MatrixView residual) {
  PERCEPT_CHECK(x.rows == residual.rows && x.cols == residual.cols && weight != nullptr);
  ForEachRow(x.rows, x.cols, [&](int64_t r) {
    PERCEPT_DISPATCH(context.isa, NormalizeAddRow(x.row(r), x.cols, weight, eps, residual.row(r)));
  });
}

}  // namespace percept::ops
