// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "decoder/model/forward_pass.h"

namespace percept {

// out = W_down (gelu(W_gate y) * W_up y) (spec text-decoder 3.6). y, out: [rows, hidden].
void FeedForward(const ForwardPass& pass, int layer_idx, ConstMatrixView y, MatrixView out);

}  // namespace percept
