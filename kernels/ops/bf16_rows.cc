// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/bf16_rows.h"

#include <algorithm>

#include "kernels/core/dtype.h"
#include "kernels/cpu/vector_math.h"

namespace percept::ops {

#if defined(__x86_64__)

#define PERCEPT_BF16_TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

namespace {

PERCEPT_BF16_TARGET inline void StoreBF16(uint16_t* out, __m512 value) {
  const __m256bh narrow = _mm512_maskz_cvtneps_pbh(avx512::kAll, value);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), reinterpret_cast<const __m256i&>(narrow));
}

}  // namespace

PERCEPT_BF16_TARGET void NarrowRow(const float* x, int64_t cols, float low, float high, int64_t depth, uint16_t* out) {
  const __m512 lowest = avx512::Set(low);
  const __m512 highest = avx512::Set(high);
  int64_t i = 0;
  for (; i + avx512::kLanes <= cols; i += avx512::kLanes) {
    StoreBF16(out + i, avx512::Min(highest, avx512::Max(lowest, avx512::Load(x + i))));
  }
  if (i < cols) {
    const int64_t rest = cols - i;
    const __m512 value = avx512::Min(highest, avx512::Max(lowest, avx512::LoadFirst(x + i, rest)));
    StoreBF16(out + i, _mm512_maskz_mov_ps(avx512::FirstLanes(rest), value));
    i += avx512::kLanes;
  }
  for (; i < depth; i += avx512::kLanes) {
    StoreBF16(out + i, avx512::Set(0.0f));
  }
}

#else

void NarrowRow(const float* x, int64_t cols, float low, float high, int64_t depth, uint16_t* out) {
  for (int64_t i = 0; i < depth; ++i) {
    out[i] = i < cols ? FloatToBF16(std::min(high, std::max(low, x[i]))) : uint16_t{0};
  }
}

#endif

}  // namespace percept::ops
