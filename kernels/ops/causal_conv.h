// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

// Depthwise convolution over time that sees no later row (spec audio 6.5):
// y[t, c] = sum over k of taps[k, c] * x[past + t - (taps.rows - 1) + k, c], rows before the first of x being zero.
// x: [past + y.rows, channels], the rows of y after the `past` ones that came before them; taps: [taps, channels].
// x and y do not overlap.
void CausalConv(const KernelContext& context, ConstMatrixView x, ConstMatrixView taps, MatrixView y);

}  // namespace percept::ops
