// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/pool.h"

#include "kernels/core/check.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/each_row.h"

#define PERCEPT_KERNELS "kernels/ops/pool_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

void AveragePool(const KernelContext& context, ConstMatrixView x, int64_t grid_w, int64_t grid_h, int64_t size,
                 float factor, MatrixView out) {
  PERCEPT_CHECK(size > 0 && grid_w > 0 && grid_h > 0 && grid_w % size == 0 && grid_h % size == 0);
  PERCEPT_CHECK(x.rows == grid_w * grid_h && out.rows * size * size == x.rows && out.cols == x.cols);
  const int64_t cells_w = grid_w / size;
  ForEachRow(out.rows, x.cols * size * size, [&](int64_t cell) {
    const float* corner = x.row(cell / cells_w * size * grid_w + cell % cells_w * size);
    PERCEPT_DISPATCH(context.isa, PoolCell(corner, x.stride, grid_w * x.stride, size, factor, out.row(cell), x.cols));
  });
}

}  // namespace percept::ops
