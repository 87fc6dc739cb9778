// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "decoder/model/forward_pass.h"

namespace percept {

// One decoder layer over activations.x (spec text-decoder 3.3). `is_last_with_keys` says that no later layer makes keys
// and values, so nobody reads what becomes of a row that is no output row: such rows end once the layer's keys and
// values are stored.
void RunLayer(const ForwardPass& pass, int layer_idx, bool is_last_with_keys);

}  // namespace percept
