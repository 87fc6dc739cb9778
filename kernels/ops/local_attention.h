// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

// How far back a row of LocalAttention may see.
inline constexpr int64_t kMaxLocalKeys = 64;

struct LocalAttentionForm {
  int64_t heads = 0;
  const float* query_scale = nullptr;  // [head_dim], of every head
  ConstMatrixView relative_keys;       // [window, heads * head_dim], added to the key that lies so many rows back
  float soft_cap = 0;
};

// Attention of each row to itself and the window - 1 rows before it, as far as there are any (spec audio 6.4), per
// head, in f32:
//   score_d = cap * tanh(sum over i of q_i * query_scale_i * (key of d rows back + relative_keys[d])_i / cap)
//   out = softmax over d of score_d, times values.
// q, out: [rows, heads * head_dim]; keys, values: [past + rows, heads * head_dim], the rows of q after the `past` ones
// that came before them. out and q do not overlap. window is at most kMaxLocalKeys.
void LocalAttention(const KernelContext& context, const LocalAttentionForm& form, ConstMatrixView q,
                    ConstMatrixView keys, ConstMatrixView values, MatrixView out);

}  // namespace percept::ops
