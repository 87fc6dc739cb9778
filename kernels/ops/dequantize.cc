// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/dequantize.h"

#include <algorithm>
#include <cstring>

#include "kernels/core/check.h"
#include "kernels/cpu/vector_math.h"

#define PERCEPT_KERNELS "kernels/ops/dequantize_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

void DequantizeRow(DType dtype, const void* row, int64_t n, float* out) {
  PERCEPT_CHECK(dtype != DType::kInt4 && n % Traits(dtype).block_elements == 0);
  DequantizeColumns(Isa::kPortable, {.bytes = row, .dtype = dtype, .shape = {1, n}}, 0, 0, n, out);
}

void DequantizeColumns(Isa isa, const ConstTensor& matrix, int64_t row_idx, int64_t first_col, int64_t count,
                       float* out) {
  PERCEPT_CHECK(IsReal(matrix.dtype) && matrix.width() % Traits(matrix.dtype).block_elements == 0);
  PERCEPT_CHECK(first_col >= 0 && count >= 0 && first_col + count <= matrix.width());
  PERCEPT_CHECK((matrix.dtype == DType::kInt4) == (matrix.scales != nullptr));
  const auto* row = static_cast<const uint8_t*>(matrix.bytes) + row_idx * BytesOf(matrix.dtype, matrix.width());
  if (!IsQuantized(matrix.dtype)) {
    const uint8_t* first = row + BytesOf(matrix.dtype, first_col);
    PERCEPT_DISPATCH(isa, PlainColumns(matrix.dtype, first, count, out));
    return;
  }
  const auto* scales = static_cast<const uint8_t*>(matrix.scales);
  if (scales != nullptr) {
    scales += row_idx * (matrix.width() / Traits(DType::kInt4).block_elements) * 2;
  }
  PERCEPT_DISPATCH(isa, QuantizedColumns(matrix.dtype, row, scales, first_col, count, out));
}

}  // namespace percept::ops
