// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "kernels/core/tensor.h"

namespace percept {

// Normally distributed values; the gaps between rows hold NaN, so that reading them shows.
inline Matrix RandomMatrix(int64_t rows, int64_t cols, uint32_t seed, float deviation = 1.0f) {
  Matrix matrix(rows, cols);
  std::mt19937 random(seed);
  std::normal_distribution<float> values(0.0f, deviation);
  for (int64_t r = 0; r < rows; ++r) {
    float* row = matrix.view().row(r);
    for (int64_t c = 0; c < matrix.view().stride; ++c) {
      row[c] = c < cols ? values(random) : std::numeric_limits<float>::quiet_NaN();
    }
  }
  return matrix;
}

inline Matrix CopyOf(ConstMatrixView source) {
  Matrix copy(source.rows, source.cols);
  for (int64_t r = 0; r < source.rows; ++r) {
    std::copy(source.row(r), source.row(r) + source.cols, copy.view().row(r));
  }
  return copy;
}

inline std::vector<float> Values(ConstMatrixView source) {
  std::vector<float> values;
  for (int64_t r = 0; r < source.rows; ++r) {
    values.insert(values.end(), source.row(r), source.row(r) + source.cols);
  }
  return values;
}

}  // namespace percept
