// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/local_attention.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/each_row.h"

#define PERCEPT_KERNELS "kernels/ops/local_attention_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

void LocalAttention(const KernelContext& context, const LocalAttentionForm& form, ConstMatrixView q,
                    ConstMatrixView keys, ConstMatrixView values, MatrixView out) {
  const int64_t window = form.relative_keys.rows;
  PERCEPT_CHECK(form.heads > 0 && q.cols % form.heads == 0 && form.query_scale != nullptr && form.soft_cap > 0);
  PERCEPT_CHECK(window > 0 && window <= kMaxLocalKeys && form.relative_keys.cols == q.cols);
  PERCEPT_CHECK(out.rows == q.rows && out.cols == q.cols && keys.rows >= q.rows && keys.cols == q.cols);
  PERCEPT_CHECK(values.rows == keys.rows && values.cols == keys.cols);
  const int64_t past = keys.rows - q.rows;
  const int64_t head_dim = q.cols / form.heads;
  ForEachRow(q.rows, 2 * window * q.cols, [&](int64_t r) {
    const int64_t num_keys = std::min(past + r + 1, window);
    const ConstMatrixView seen_keys = keys.Rows(past + r + 1 - num_keys, num_keys);
    const ConstMatrixView seen_values = values.Rows(past + r + 1 - num_keys, num_keys);
    for (int64_t first = 0; first < q.cols; first += head_dim) {
      PERCEPT_DISPATCH(context.isa, AttendBack(q.row(r), form, seen_keys, seen_values, first, head_dim, out.row(r)));
    }
  });
}

}  // namespace percept::ops
