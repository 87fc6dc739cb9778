// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "kernels/core/dtype.h"

namespace percept {

// Fills whole blocks (or values) of a type with random ones that stand for numbers about as large as weights are: at
// most some hundredths, around zero. The same bytes in every run; of kInt4 the codes alone, whose scales are a second
// array. For measurements without a checkpoint. Throws ArgumentError for a type that stands for no real numbers.
void FillRandomBlocks(DType dtype, std::span<std::byte> bytes);

}  // namespace percept
