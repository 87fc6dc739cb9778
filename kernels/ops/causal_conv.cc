// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/causal_conv.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/each_row.h"

#define PERCEPT_KERNELS "kernels/ops/causal_conv_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

void CausalConv(const KernelContext& context, ConstMatrixView x, ConstMatrixView taps, MatrixView y) {
  PERCEPT_CHECK(x.rows >= y.rows && x.cols == y.cols && taps.cols == y.cols && taps.rows > 0);
  const int64_t past = x.rows - y.rows;
  ForEachRow(y.rows, y.cols * taps.rows, [&](int64_t r) {
    const int64_t num_rows = std::min(past + r + 1, taps.rows);
    const ConstMatrixView seen = x.Rows(past + r + 1 - num_rows, num_rows);
    const ConstMatrixView their_taps = taps.Rows(taps.rows - num_rows, num_rows);
    PERCEPT_DISPATCH(context.isa, WeightedSumOfRows(seen, their_taps, y.row(r)));
  });
}

}  // namespace percept::ops
