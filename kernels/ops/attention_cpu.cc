// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/attention_cpu.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/vector_math.h"

#define PERCEPT_KERNELS "kernels/ops/attention_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

void BeginTile(const AttentionTile& tile) {
  std::fill_n(tile.acc, tile.rows * tile.head_dim, 0.0f);
  std::fill_n(tile.sum, tile.rows, 0.0f);
  // Not infinity: a block of which a row sees no key must leave it as it is, and inf - inf would not.
  std::fill_n(tile.max, tile.rows, std::numeric_limits<float>::lowest());
}

void AddKeyBlock(const KernelContext& context, const AttentionTile& tile, const KeyBlock& block) {
  PERCEPT_DISPATCH(context.isa, AddBlock(tile, block));
}

}  // namespace percept::ops
