// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernels/cpu/code_vectors.h"
#include "kernels/ops/linear_quant.h"
#include "kernels/ops/quant_panel.h"

#define PERCEPT_KERNELS "kernels/ops/linear_quant_exact_kernels.inc"
#include "kernels/cpu/each_isa.inc"

namespace percept::ops {

void RunExact(Isa isa, const LinearArgs& args, const QuantTask& task) {
  PERCEPT_DISPATCH(isa, ExactProducts(args, task));
}

}  // namespace percept::ops
