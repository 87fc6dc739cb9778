// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/gather.h"

#include "kernels/core/check.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/dequantize.h"
#include "kernels/ops/each_row.h"

#define PERCEPT_KERNELS "kernels/ops/gather_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

void GatherRows(const KernelContext& context, const ConstTensor& table, std::span<const int32_t> ids, int64_t first_col,
                float factor, MatrixView out) {
  PERCEPT_CHECK(table.shape.rank() == 2 && static_cast<int64_t>(ids.size()) == out.rows);
  PERCEPT_CHECK(IsReal(table.dtype));
  PERCEPT_CHECK(first_col >= 0 && first_col + out.cols <= table.width());
  const int64_t num_rows = table.shape[0];
  for (const int32_t id : ids) {
    PERCEPT_CHECK(id >= 0 && id < num_rows);
  }
  ForEachRow(out.rows, out.cols, [&](int64_t r) {
    const int64_t id = ids[static_cast<size_t>(r)];
    const int64_t offset = id * table.width() + first_col;
    if (table.dtype == DType::kF32) {
      PERCEPT_DISPATCH(context.isa, ScaleF32Row(table.f32() + offset, out.cols, factor, out.row(r)));
    } else if (table.dtype == DType::kBF16) {
      const auto* bits = static_cast<const uint16_t*>(table.bytes) + offset;
      PERCEPT_DISPATCH(context.isa, ScaleBF16Row(bits, out.cols, factor, out.row(r)));
    } else {
      DequantizeColumns(context.isa, table, id, first_col, out.cols, out.row(r));
      PERCEPT_DISPATCH(context.isa, ScaleF32Row(out.row(r), out.cols, factor, out.row(r)));
    }
  });
}

}  // namespace percept::ops
