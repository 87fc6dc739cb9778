// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <limits>

#include "kernels/cpu/code_vectors.h"
#include "kernels/ops/linear_quant.h"
#include "kernels/ops/quant_panel.h"

// Not each_isa.inc: AVX-512 alone has no dot product of bytes that AVX2 does not have, and VNNI has one of its own.
#define PERCEPT_SIMD portable
#define PERCEPT_TARGET
#include "kernels/ops/linear_quant_fast_kernels.inc"
#undef PERCEPT_SIMD
#undef PERCEPT_TARGET

#if defined(__x86_64__)

#define PERCEPT_SIMD avx2
#define PERCEPT_TARGET __attribute__((target("avx2,fma,f16c")))
#include "kernels/ops/linear_quant_fast_kernels.inc"
#undef PERCEPT_SIMD
#undef PERCEPT_TARGET

#define PERCEPT_SIMD avx512vnni
#define PERCEPT_TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#include "kernels/ops/linear_quant_fast_kernels.inc"
#undef PERCEPT_SIMD
#undef PERCEPT_TARGET

#endif

namespace percept::ops {

void CodeRows(Isa isa, const LinearArgs& args, float input_min, float input_max, int64_t begin, int64_t end,
              const CodedRows& coded) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512Vnni) {
    return avx512vnni::CodeAll(args, input_min, input_max, begin, end, coded);
  }
  if (isa >= Isa::kAvx2) {
    return avx2::CodeAll(args, input_min, input_max, begin, end, coded);
  }
#endif
  portable::CodeAll(args, input_min, input_max, begin, end, coded);
}

void RunFast(Isa isa, const LinearArgs& args, const CodedRows& coded, const QuantTask& task) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512Vnni) {
    return avx512vnni::FastProducts(args, coded, task);
  }
  if (isa >= Isa::kAvx2) {
    return avx2::FastProducts(args, coded, task);
  }
#endif
  portable::FastProducts(args, coded, task);
}

}  // namespace percept::ops
