// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cpu/context.h"

namespace percept {

// One output row as a weighted sum of input rows of bytes:
//   out[i] = clamp to 0..255 of (2^(bits-1) + sum over j of weights[j] * in[j * step_bytes + i]) >> bits
// `out` and `in` do not overlap. Every instruction set gives the same bytes: the sum is exact in 32 bits.
using WeightedSumFn = void (*)(const uint8_t* in, ptrdiff_t step_bytes, const int32_t* weights, int64_t num_taps,
                               int bits, uint8_t* out, int64_t num_bytes);

WeightedSumFn SelectWeightedSum(Isa isa);

}  // namespace percept
