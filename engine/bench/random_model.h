// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "engine/loaded_weights.h"
#include "kernels/cpu/context.h"

namespace percept {

// Names of the shapes that RandomModel knows, sorted.
std::vector<std::string_view> RandomModelShapes();

// Throws ArgumentError on an unknown shape.
ModelConfig RandomModelConfig(std::string_view shape);

// A model of a released shape with random weights, for measurements without its checkpoint; text and pictures, no
// sound. "e2b" takes 5 GB of memory: packed weights and the embedding table are as large as the real ones, the
// per-layer embedding table repeats 64 MiB. Throws ArgumentError on an unknown shape, std::bad_alloc.
LoadedWeights RandomModel(std::string_view shape, const KernelContext& context);

}  // namespace percept
