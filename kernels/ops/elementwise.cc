// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/elementwise.h"

#include "kernels/core/check.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/each_row.h"

#define PERCEPT_KERNELS "kernels/ops/elementwise_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

void GeluGate(const KernelContext& context, MatrixView gate, ConstMatrixView up) {
  PERCEPT_CHECK(gate.rows == up.rows && gate.cols == up.cols);
  ForEachRow(gate.rows, gate.cols, [&](int64_t r) {
    PERCEPT_DISPATCH(context.isa, GeluGateRow(gate.row(r), up.row(r), gate.cols, gate.row(r)));
  });
}

void GeluGate(const KernelContext& context, ConstMatrixView gate, ConstMatrixView up, const BF16Rows& out) {
  PERCEPT_CHECK(gate.rows == up.rows && gate.cols == up.cols && context.native_bf16());
  PERCEPT_CHECK(gate.rows == out.rows && gate.cols == out.cols);
  ForEachRow(gate.rows, gate.cols, [&](int64_t r) {
    FillBF16Row(out, r, [&](int64_t first, int64_t count, float* values) {
      PERCEPT_DISPATCH(context.isa, GeluGateRow(gate.row(r) + first, up.row(r) + first, count, values));
    });
  });
}

void SigmoidGate(const KernelContext& context, ConstMatrixView x, ConstMatrixView gate, MatrixView out) {
  PERCEPT_CHECK(x.rows == gate.rows && x.cols == gate.cols && x.rows == out.rows && x.cols == out.cols);
  ForEachRow(x.rows, x.cols, [&](int64_t r) {
    PERCEPT_DISPATCH(context.isa, SigmoidGateRow(x.row(r), gate.row(r), x.cols, out.row(r)));
  });
}

void Relu(const KernelContext& context, MatrixView x) {
  ForEachRow(x.rows, x.cols, [&](int64_t r) { PERCEPT_DISPATCH(context.isa, ReluRow(x.row(r), x.cols)); });
}

void Scale(const KernelContext& context, MatrixView x, float factor) {
  ForEachRow(x.rows, x.cols, [&](int64_t r) { PERCEPT_DISPATCH(context.isa, ScaleRow(x.row(r), x.cols, factor)); });
}

void AddScale(const KernelContext& context, MatrixView x, ConstMatrixView y, float factor) {
  PERCEPT_CHECK(x.rows == y.rows && x.cols == y.cols);
  ForEachRow(x.rows, x.cols,
             [&](int64_t r) { PERCEPT_DISPATCH(context.isa, AddScaleRow(x.row(r), y.row(r), x.cols, factor)); });
}

void SoftCap(const KernelContext& context, MatrixView x, float cap) {
  PERCEPT_CHECK(cap > 0.0f);
  // One row of logits is wide: it is shared out by columns.
  constexpr int64_t kColsPerTask = 16 * 1024;
  for (int64_t r = 0; r < x.rows; ++r) {
    ParallelFor(x.cols, kColsPerTask, [&](int64_t begin, int64_t end) {
      PERCEPT_DISPATCH(context.isa, SoftCapRow(x.row(r) + begin, end - begin, cap));
    });
  }
}

}  // namespace percept::ops
