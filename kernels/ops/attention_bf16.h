// SPDX-License-Identifier: Apache-2.0
#pragma once

// Attention of many rows by bf16 matrix tiles (AMX), for the fast mode. Keys and values of one kv head are packed once
// per call, then tiles of 32 query rows walk over them in chunks with an online softmax.

#include <cstdint>
#include <span>

#include "kernels/core/arena.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/attention.h"

namespace percept::ops {

// True where the tiles exist on this CPU and the problem is large enough to be worth packing its keys.
bool UsesAttentionBF16(const KernelContext& context, int64_t rows, int64_t group, int64_t num_keys);

// As Attention; arguments are checked already. `all`: the union of ranges.
void AttentionBF16(ConstMatrixView q, int64_t group, const KeyValueView& keys, std::span<const KeyRange> ranges,
                   KeyRange all, MatrixView out, Arena& scratch);

size_t AttentionBF16ScratchBytes(int64_t head_dim, int64_t max_keys);

}  // namespace percept::ops
