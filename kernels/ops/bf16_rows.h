// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace percept::ops {

// Rows of bf16 that an op writes for a product to read as they are: each value clamped to [low, high], then rounded to
// nearest even. Dense, 64-byte aligned, cols a multiple of 32. Does not own its bytes. Only where
// KernelContext::native_bf16 holds.
struct BF16Rows {
  uint16_t* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();

  uint16_t* row(int64_t i) const { return data + i * cols; }
};

// out[0 .. cols) = bf16(clamp(x, low, high)), zeros from there up to `depth`, a multiple of 32. NaN stays NaN.
void NarrowRow(const float* x, int64_t cols, float low, float high, int64_t depth, uint16_t* out);

// Fills row `row_idx`: compute(first, count, values) writes the floats of some neighbouring columns, which are clamped
// and rounded while they are in the nearest cache.
template <typename Compute>
void FillBF16Row(const BF16Rows& rows, int64_t row_idx, Compute&& compute) {
  constexpr int64_t kColsAtOnce = 256;
  alignas(64) float values[kColsAtOnce];
  for (int64_t first = 0; first < rows.cols; first += kColsAtOnce) {
    const int64_t count = std::min(kColsAtOnce, rows.cols - first);
    compute(first, count, values);
    NarrowRow(values, count, rows.low, rows.high, count, rows.row(row_idx) + first);
  }
}

}  // namespace percept::ops
