// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "decoder/model/forward_pass.h"

namespace percept {

// Makes the layer's own keys and values of the rows y and stores them in the segments' caches (spec text-decoder 3.4,
// step 2). y: [rows, hidden], normalised.
void StoreKeysValues(const ForwardPass& pass, int layer_idx, ConstMatrixView y);

// out = W_o (softmax(q K^T) V) over what the caches hold for the layer, the rows' own positions included (spec
// text-decoder 3.4). y, out: [rows, hidden].
void Attention(const ForwardPass& pass, int layer_idx, ConstMatrixView y, MatrixView out);

}  // namespace percept
