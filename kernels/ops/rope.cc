// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/rope.h"

#include <cmath>

#include "kernels/core/check.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/each_row.h"

#define PERCEPT_KERNELS "kernels/ops/rope_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

std::vector<float> RopeFrequencies(int64_t head_dim, double theta, double rotated_fraction) {
  PERCEPT_CHECK(head_dim > 0 && head_dim % 2 == 0 && theta > 0.0);
  PERCEPT_CHECK(rotated_fraction > 0.0 && rotated_fraction <= 1.0);
  std::vector<float> frequencies(static_cast<size_t>(head_dim / 2), 0.0f);
  const auto rotated = static_cast<size_t>(rotated_fraction * static_cast<double>(head_dim) / 2.0);
  for (size_t i = 0; i < rotated; ++i) {
    // Power and reciprocal are rounded to float32 one after the other, as the reference does.
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    frequencies[i] = 1.0f / std::pow(static_cast<float>(theta), exponent);
  }
  return frequencies;
}

void RopeAngles(std::span<const int64_t> positions, std::span<const float> frequencies, MatrixView cos,
                MatrixView sin) {
  const auto num_frequencies = static_cast<int64_t>(frequencies.size());
  PERCEPT_CHECK(static_cast<int64_t>(positions.size()) == cos.rows && cos.rows == sin.rows);
  PERCEPT_CHECK(cos.cols == num_frequencies && sin.cols == num_frequencies);
  ForEachRow(cos.rows, num_frequencies * 16, [&](int64_t r) {
    const auto position = static_cast<float>(positions[static_cast<size_t>(r)]);
    for (int64_t i = 0; i < num_frequencies; ++i) {
      const float angle = position * frequencies[static_cast<size_t>(i)];
      cos.row(r)[i] = std::cos(angle);
      sin.row(r)[i] = std::sin(angle);
    }
  });
}

void Rope(const KernelContext& context, MatrixView x, int64_t heads, int64_t head_dim, int64_t sections,
          ConstMatrixView cos, ConstMatrixView sin) {
  PERCEPT_CHECK(heads > 0 && head_dim > 0 && x.cols == heads * head_dim);
  PERCEPT_CHECK(sections > 0 && head_dim % (2 * sections) == 0);
  PERCEPT_CHECK(cos.rows == x.rows && sin.rows == x.rows && cos.cols == head_dim / 2 && sin.cols == head_dim / 2);
  ForEachRow(x.rows, x.cols, [&](int64_t r) {
    PERCEPT_DISPATCH(context.isa, RotateRow(x.row(r), heads, head_dim, sections, cos.row(r), sin.row(r)));
  });
}

}  // namespace percept::ops
