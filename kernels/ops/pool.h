// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

// out[cell] = factor * mean of the size x size rows of x that lie in the cell; x: [grid_w * grid_h, width] in raster
// order, cells in raster order. grid_w and grid_h are multiples of size. (spec vision 3.6)
void AveragePool(const KernelContext& context, ConstMatrixView x, int64_t grid_w, int64_t grid_h, int64_t size,
                 float factor, MatrixView out);

}  // namespace percept::ops
