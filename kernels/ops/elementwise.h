// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

// gate = gelu_tanh(gate) * up, in place (spec text-decoder 2). Shapes equal.
void GeluGate(const KernelContext& context, MatrixView gate, ConstMatrixView up);

// x = x * factor.
void Scale(const KernelContext& context, MatrixView x, float factor);

// x = (x + y) * factor.
void AddScale(const KernelContext& context, MatrixView x, ConstMatrixView y, float factor);

// x = cap * tanh(x / cap).
void SoftCap(const KernelContext& context, MatrixView x, float cap);

}  // namespace percept::ops
