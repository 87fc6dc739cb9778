// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/bf16_rows.h"

namespace percept::ops {

// gate = gelu_tanh(gate) * up, in place (spec text-decoder 2). Shapes equal.
void GeluGate(const KernelContext& context, MatrixView gate, ConstMatrixView up);
// out = gelu_tanh(gate) * up, clamped and rounded: the bits that clamping and rounding the f32 result gives.
void GeluGate(const KernelContext& context, ConstMatrixView gate, ConstMatrixView up, const BF16Rows& out);

// out = x * sigmoid(gate); out may be x. With gate = x it is SiLU. Shapes equal.
void SigmoidGate(const KernelContext& context, ConstMatrixView x, ConstMatrixView gate, MatrixView out);

// x = max(x, 0).
void Relu(const KernelContext& context, MatrixView x);

// x = x * factor.
void Scale(const KernelContext& context, MatrixView x, float factor);

// x = (x + y) * factor.
void AddScale(const KernelContext& context, MatrixView x, ConstMatrixView y, float factor);

// x = cap * tanh(x / cap).
void SoftCap(const KernelContext& context, MatrixView x, float cap);

}  // namespace percept::ops
