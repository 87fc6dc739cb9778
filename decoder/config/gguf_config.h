// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "decoder/config/generation_config.h"
#include "decoder/config/text_config.h"
#include "kernels/weights/gguf.h"

namespace percept {

// The text decoder of a GGUF file, the first of `source` (spec: text-decoder, section 8). The format says some things
// by its architecture and by the tensors that it leaves out, and this reads them as it means them: no attn_v on full
// layers means values from keys, no output.weight a tied head, no per-layer embeddings that pictures see themselves;
// the rotated pairs of full layers are counted in rope_freqs.weight; the architecture gemma4-assistant is that of
// drafters, whose files have a plain output head. Throws CheckpointError naming file and key.
TextConfig TextConfigFromGguf(const GgufSource& source);

// How its answers are drawn; what the file does not say has the defaults.
GenerationConfig GenerationConfigFromGguf(const GgufMetadata& metadata);

}  // namespace percept
