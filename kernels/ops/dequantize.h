// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

// The reference for every kernel that reads blocks: the values of one dense row of n elements, n a multiple of the
// type's block. Any dtype of reals but kInt4, whose scales lie elsewhere (checked).
void DequantizeRow(DType dtype, const void* row, int64_t n, float* out);

// out[i] = matrix[row_idx, first_col + i] for i < count, any dtype of reals; first_col need not be at a block. The same
// bits for every instruction set, but for the payload of NaN.
void DequantizeColumns(Isa isa, const ConstTensor& matrix, int64_t row_idx, int64_t first_col, int64_t count,
                       float* out);

}  // namespace percept::ops
