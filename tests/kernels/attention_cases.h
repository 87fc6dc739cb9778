// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/core/tensor.h"
#include "kernels/ops/attention.h"
#include "tests/kernels/linear_cases.h"

namespace percept {

// K and V of `num_keys` positions, laid into slots (p % capacity) of blocks of block_rows rows as a cache would. Slots
// that hold no position are NaN.
class TestKeys {
 public:
  TestKeys(int64_t num_keys, int64_t kv_heads, int64_t head_dim, int64_t block_rows, int64_t capacity, uint32_t seed)
      : k_(RandomMatrix(num_keys, kv_heads * head_dim, seed)),
        v_(RandomMatrix(num_keys, kv_heads * head_dim, seed + 1)) {
    const int64_t width = kv_heads * head_dim;
    const int64_t num_blocks = (capacity + block_rows - 1) / block_rows;
    k_slots_.assign(static_cast<size_t>(num_blocks * block_rows * width), NAN);
    v_slots_ = k_slots_;
    for (int64_t p = std::max<int64_t>(0, num_keys - capacity); p < num_keys; ++p) {
      std::copy_n(k_.view().row(p), width, k_slots_.data() + p % capacity * width);
      std::copy_n(v_.view().row(p), width, v_slots_.data() + p % capacity * width);
    }
    for (int64_t b = 0; b < num_blocks; ++b) {
      k_blocks_.push_back(k_slots_.data() + b * block_rows * width);
      v_blocks_.push_back(v_slots_.data() + b * block_rows * width);
    }
    view_ = {k_blocks_.data(), v_blocks_.data(), block_rows, capacity, kv_heads, head_dim};
  }
  TestKeys(const TestKeys&) = delete;
  TestKeys& operator=(const TestKeys&) = delete;

  const ops::KeyValueView& view() const { return view_; }
  const float* k(int64_t position, int64_t kv_head) const { return k_.view().row(position) + kv_head * view_.head_dim; }
  const float* v(int64_t position, int64_t kv_head) const { return v_.view().row(position) + kv_head * view_.head_dim; }

 private:
  Matrix k_;
  Matrix v_;
  std::vector<float> k_slots_;
  std::vector<float> v_slots_;
  std::vector<const float*> k_blocks_;
  std::vector<const float*> v_blocks_;
  ops::KeyValueView view_;
};

// Row r sees the last `window` positions up to first_position + r.
inline std::vector<ops::KeyRange> CausalRanges(int64_t rows, int64_t first_position, int64_t window) {
  std::vector<ops::KeyRange> ranges;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t end = first_position + r + 1;
    ranges.push_back({std::max<int64_t>(0, end - window), end});
  }
  return ranges;
}

// One head of one row in double.
inline std::vector<double> ReferenceAttention(const float* q, const TestKeys& keys, int64_t kv_head,
                                              ops::KeyRange range) {
  const int64_t head_dim = keys.view().head_dim;
  std::vector<double> scores;
  for (int64_t p = range.begin; p < range.end; ++p) {
    double score = 0;
    for (int64_t i = 0; i < head_dim; ++i) {
      score += static_cast<double>(q[i]) * keys.k(p, kv_head)[i];
    }
    scores.push_back(score);
  }
  const double max = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  std::vector<double> out(static_cast<size_t>(head_dim), 0.0);
  for (int64_t p = range.begin; p < range.end; ++p) {
    const double weight = std::exp(scores[static_cast<size_t>(p - range.begin)] - max);
    sum += weight;
    for (int64_t i = 0; i < head_dim; ++i) {
      out[static_cast<size_t>(i)] += weight * keys.v(p, kv_head)[i];
    }
  }
  for (double& value : out) {
    value /= sum;
  }
  return out;
}

}  // namespace percept
