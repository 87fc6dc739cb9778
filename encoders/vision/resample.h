// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "encoders/vision/axis_weights.h"
#include "encoders/vision/image.h"
#include "kernels/cpu/context.h"

namespace percept {

// Antialiased bicubic resampling of 8-bit pictures, byte for byte as the reference does it (spec vision 2.3): the
// horizontal pass first, rounded to 8 bits, then the vertical one; an axis that keeps its length is not resampled.
// Rows are spread over the workers. Every instruction set and any number of threads give the same bytes.
// Throws InputError or ArgumentError as CheckImage does, ArgumentError where a target side is below 1.
RgbImage Resample(const RgbView& source, ImageSize target, ResampleWeights precision, const KernelContext& context);

}  // namespace percept
