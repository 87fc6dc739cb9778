// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "decoder/model/forward_pass.h"

namespace percept {

// The experts beside a layer's dense branch (spec text-decoder 3.6). x: [rows, hidden], the stream, which the router
// looks at; y: [rows, hidden], what the experts work on; out: [rows, hidden], the weighted sum of what the chosen
// experts make of a row. Routing is f32 in every mode; of equal experts the one with the lower index is chosen.
void Experts(const ForwardPass& pass, int layer_idx, ConstMatrixView x, ConstMatrixView y, MatrixView out);

}  // namespace percept
