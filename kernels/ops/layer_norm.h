// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

// y = (x - mean(x)) * (variance(x) + eps)^(-1/2) * weight + bias over whole rows; the variance is that of the row
// (divided by its width). weight, bias: [cols]; bias may be null, for none. x and y may be the same matrix.
void LayerNorm(const KernelContext& context, ConstMatrixView x, const float* weight, const float* bias, float eps,
               MatrixView y);

}  // namespace percept::ops
