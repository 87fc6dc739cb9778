// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/linear_cpu.h"

#include <algorithm>
#include <cstring>

#include "kernels/cpu/code_vectors.h"
#include "kernels/cpu/threads.h"
#include "kernels/cpu/vector_math.h"

#define PERCEPT_KERNELS "kernels/ops/linear_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {
namespace {

// Multiply-adds below which a range of work is not worth a task of its own.
constexpr int64_t kTaskProducts = 1 << 17;

int64_t Grain(int64_t products_per_item) {
  return std::max<int64_t>(1, kTaskProducts / std::max<int64_t>(1, products_per_item));
}

}  // namespace

int64_t PanelBytes(DType dtype, int64_t in_features) {
  const int64_t depth =
      dtype != DType::kF32 ? (in_features + kBF16BlockDepth - 1) / kBF16BlockDepth * kBF16BlockDepth : in_features;
  return BytesOf(dtype, depth * kPanelWidth);
}

void PackPanel(Isa isa, const ConstTensor& weight, int64_t panel_idx, std::byte* panel) {
  const int64_t in = weight.width();
  const int64_t first = panel_idx * kPanelWidth;
  const int64_t num_rows = std::min(kPanelWidth, weight.rows() - first);
  const int64_t row_bytes = BytesOf(weight.dtype, in);
  const std::byte* rows = static_cast<const std::byte*>(weight.bytes) + first * row_bytes;
  const int64_t words = row_bytes / 4;
  const int64_t filled = num_rows == kPanelWidth ? words * kPanelWidth * 4 : 0;
  std::memset(panel + filled, 0, static_cast<size_t>(PanelBytes(weight.dtype, in) - filled));
  PERCEPT_DISPATCH(isa, PackWords(rows, row_bytes, words, num_rows, reinterpret_cast<float*>(panel)));
  // A last value of two bytes without a neighbour.
  for (int64_t n = 0; row_bytes % 4 != 0 && n < num_rows; ++n) {
    std::memcpy(panel + (words * kPanelWidth + n) * 4, rows + (n + 1) * row_bytes - 2, 2);
  }
}

void LinearPackedF32(const KernelContext& context, const LinearArgs& args) {
  // Enough rows per item that a panel read from memory serves many, few enough that a narrow layer still makes work
  // for every worker.
  constexpr int64_t kItemRows = 96;
  const int64_t row_items = (args.x.rows + kItemRows - 1) / kItemRows;
  const int64_t panel_bytes = PanelBytes(args.dtype, args.in);
  const int64_t products = std::min(args.x.rows, kItemRows) * args.in * kPanelWidth;
  ParallelFor(NumPanels(args.out) * row_items, Grain(products), [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t panel_idx = item / row_items;
      const int64_t first_row = item % row_items * kItemRows;
      PERCEPT_DISPATCH(context.isa, LinearPanel(args, args.weight + panel_idx * panel_bytes, panel_idx * kPanelWidth,
                                                first_row, std::min(args.x.rows, first_row + kItemRows)));
    }
  });
}

void LinearMappedF32(const KernelContext& context, const LinearArgs& args) {
  // Whole cache lines of y and whole register tiles for each item.
  constexpr int64_t kItemOutputs = 16;
  const int64_t items = (args.out + kItemOutputs - 1) / kItemOutputs;
  ParallelFor(items, Grain(args.x.rows * args.in * kItemOutputs), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kItemOutputs;
    const int64_t last = std::min(args.out, end * kItemOutputs);
    if (args.dtype == DType::kBF16) {
      PERCEPT_DISPATCH(context.isa, LinearDots<uint16_t>(args, first, last));
    } else if (args.dtype == DType::kF16) {
      PERCEPT_DISPATCH(context.isa, LinearDots<Half>(args, first, last));
    } else {
      PERCEPT_DISPATCH(context.isa, LinearDots<float>(args, first, last));
    }
  });
}

void ClampRows(const KernelContext& context, ConstMatrixView x, float low, float high, MatrixView y) {
  ParallelFor(x.rows, Grain(x.cols), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      PERCEPT_DISPATCH(context.isa, ClampRow(x.row(row), x.cols, low, high, y.row(row)));
    }
  });
}

}  // namespace percept::ops
