// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "decoder/model/forward_pass.h"
#include "decoder/state/segment.h"

namespace percept {

// The decoder's input, into activations.x: E[id] * sqrt(hidden), and the soft tokens as they are on their placeholders
// (spec text-decoder 3.1). Leaves the ids, placeholders replaced by pad, in activations.ids. Throws ArgumentError for
// an id outside the vocabulary and for soft rows that do not lie on placeholders.
void EmbedTokens(const ForwardPass& pass, std::span<const Segment> segments);

}  // namespace percept
