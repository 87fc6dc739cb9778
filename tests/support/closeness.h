// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/tensor.h"

namespace percept {

// The largest |a - b|; infinite where sizes differ or a value is NaN.
inline double MaxAbsDifference(ConstMatrixView a, const std::vector<float>& b) {
  if (a.rows * a.cols != static_cast<int64_t>(b.size())) {
    return std::numeric_limits<double>::infinity();
  }
  double largest = 0.0;
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int64_t c = 0; c < a.cols; ++c) {
      const double difference = std::abs(double{a.row(r)[c]} - double{b[static_cast<size_t>(r * a.cols + c)]});
      if (!(difference <= largest)) {
        largest = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
      }
    }
  }
  return largest;
}

// The smallest cosine between a row of a and the same row of b.
inline double MinRowCosine(ConstMatrixView a, const std::vector<float>& b) {
  double smallest = 1.0;
  for (int64_t r = 0; r < a.rows; ++r) {
    double dot = 0.0;
    double aa = 0.0;
    double bb = 0.0;
    for (int64_t c = 0; c < a.cols; ++c) {
      const double x = a.row(r)[c];
      const double y = b.at(static_cast<size_t>(r * a.cols + c));
      dot += x * y;
      aa += x * x;
      bb += y * y;
    }
    smallest = std::min(smallest, dot / std::sqrt(aa * bb));
  }
  return smallest;
}

}  // namespace percept
