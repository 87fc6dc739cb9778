// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "decoder/model/forward_pass.h"

namespace percept {

// Per-layer embeddings of the rows of activations.x and activations.ids, once before layer 0, into
// activations.per_layer (spec text-decoder 3.2).
void PerLayerEmbeddings(const ForwardPass& pass);

// out = W_proj (gelu(W_gate x) * u), u being layer layer_idx's part of activations.per_layer (spec text-decoder 3.3).
// x, out: [rows, hidden].
void LayerInput(const ForwardPass& pass, int layer_idx, ConstMatrixView x, MatrixView out);

}  // namespace percept
