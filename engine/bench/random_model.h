// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "engine/loaded_weights.h"
#include "kernels/core/dtype.h"
#include "kernels/cpu/context.h"

namespace percept {

// Names of the shapes that RandomModel knows, sorted.
std::vector<std::string_view> RandomModelShapes();

// Throws ArgumentError on an unknown shape.
ModelConfig RandomModelConfig(std::string_view shape);

// The types of weights that checkpoints come in.
std::vector<DType> RandomModelTypes();

// A model of a released shape with random weights, for measurements without its checkpoint. Packed weights and the
// embedding table are as large as the real ones ("e2b" takes 5.5 GB of memory in bf16); the per-layer embedding table
// repeats 64 MiB. `dtype`: of the text decoder's matrices, see TensorsOf. Throws ArgumentError on an unknown shape, a
// type of no real numbers, or weights that are larger than the machine's memory; std::bad_alloc.
std::unique_ptr<const LoadedWeights> RandomModel(std::string_view shape, DType dtype, const KernelContext& context);

}  // namespace percept
