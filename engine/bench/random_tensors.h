// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/bench/random_source.h"
#include "engine/loaded_weights.h"

namespace percept {

// Every tensor that a checkpoint of this configuration holds (spec: text-decoder, section 7; vision, section 7.1;
// audio, section 13). The matrices of the text decoder are of `dtype`, as files of that type have them: embeddings
// beside 4-bit types are Q6_K, routers and the projection to per-layer embeddings stay bf16, and rows that a type's
// blocks do not divide are Q8_0, or bf16 where even that does not fit. Everything else is bf16.
std::vector<RandomTensor> TensorsOf(const ModelConfig& config, DType dtype = DType::kBF16);

}  // namespace percept
