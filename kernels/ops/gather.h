// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

// out[r, :] = table[ids[r], first_col : first_col + out.cols] * factor. table: [rows, width], any dtype of reals, read
// row by row (never expanded); columns need not start at a block. ids inside the table are the caller's promise
// (checked).
void GatherRows(const KernelContext& context, const ConstTensor& table, std::span<const int32_t> ids, int64_t first_col,
                float factor, MatrixView out);

}  // namespace percept::ops
