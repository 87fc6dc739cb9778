// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/bf16_rows.h"

namespace percept::ops {

// y = x * (mean(x^2) + eps)^(-1/2) * weight over consecutive groups of `group` columns (group == cols: the whole row).
// weight: [group], or null for the scaleless form. x and y may be the same matrix. Formula: spec text-decoder 2.
void RmsNorm(const KernelContext& context, ConstMatrixView x, int64_t group, const float* weight, float eps,
             MatrixView y);

// The same over whole rows, clamped and rounded: the bits that clamping and rounding the f32 result gives.
void RmsNorm(const KernelContext& context, ConstMatrixView x, const float* weight, float eps, const BF16Rows& y);

// residual += RmsNorm(x; weight) over whole rows.
void RmsNormAdd(const KernelContext& context, ConstMatrixView x, const float* weight, float eps, MatrixView residual);

}  // namespace percept::ops
