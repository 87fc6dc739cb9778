// SPDX-License-Identifier: Apache-2.0
#pragma once

// Vectors of floats, one set of functions per instruction set, each in its namespace (percept::portable, ::avx2,
// ::avx512): F32, kLanes, Load, Store, Set, Fma, Min, Max, Sum, Exp, Tanh, ... F32 has the operators + - * / too.
// How to write a kernel with them: kernels/cpu/each_isa.inc.

#include <cstdint>
#include <cstring>

#include "kernels/cpu/context.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Calls `call` in the namespace of the best instruction set that `isa` allows.
#if defined(__x86_64__)
#define PERCEPT_DISPATCH(isa, call) \
  ((isa) >= ::percept::Isa::kAvx512 ? avx512::call : (isa) >= ::percept::Isa::kAvx2 ? avx2::call : portable::call)
#else
#define PERCEPT_DISPATCH(isa, call) portable::call
#endif

#define PERCEPT_VECTOR_OP [[gnu::always_inline]] PERCEPT_TARGET inline

namespace percept::portable {

#define PERCEPT_TARGET

using F32 = float __attribute__((vector_size(16)));
using I32 = int32_t __attribute__((vector_size(16)));
inline constexpr int kLanes = 4;

PERCEPT_VECTOR_OP F32 Set(float x) { return F32{x, x, x, x}; }
PERCEPT_VECTOR_OP F32 Load(const float* p) {
  F32 v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
PERCEPT_VECTOR_OP void Store(float* p, F32 v) { std::memcpy(p, &v, sizeof(v)); }
// Lanes from `count` on read as 0, and are not written.
PERCEPT_VECTOR_OP F32 LoadFirst(const float* p, int64_t count) {
  F32 v = Set(0.0f);
  std::memcpy(&v, p, static_cast<size_t>(count) * sizeof(float));
  return v;
}
PERCEPT_VECTOR_OP void StoreFirst(float* p, F32 v, int64_t count) {
  std::memcpy(p, &v, static_cast<size_t>(count) * sizeof(float));
}
PERCEPT_VECTOR_OP F32 LoadBF16(const uint16_t* p) {
  const I32 bits = {p[0] << 16, p[1] << 16, p[2] << 16, p[3] << 16};
  return reinterpret_cast<F32>(bits);
}
PERCEPT_VECTOR_OP F32 LoadFirstBF16(const uint16_t* p, int64_t count) {
  uint16_t lanes[4] = {};
  std::memcpy(lanes, p, static_cast<size_t>(count) * sizeof(uint16_t));
  return LoadBF16(lanes);
}
// Lane i is element 2 i (even) or 2 i + 1 (odd) of the bf16 values at p.
PERCEPT_VECTOR_OP F32 LoadEvenBF16(const uint16_t* p) {
  return reinterpret_cast<F32>(reinterpret_cast<I32>(Load(reinterpret_cast<const float*>(p))) << 16);
}
PERCEPT_VECTOR_OP F32 LoadOddBF16(const uint16_t* p) {
  return reinterpret_cast<F32>(reinterpret_cast<I32>(Load(reinterpret_cast<const float*>(p))) &
                               static_cast<int32_t>(0xffff0000));
}
PERCEPT_VECTOR_OP F32 Fma(F32 a, F32 b, F32 c) { return a * b + c; }
// Where one operand is NaN the second is the result.
PERCEPT_VECTOR_OP F32 Min(F32 a, F32 b) { return a < b ? a : b; }
PERCEPT_VECTOR_OP F32 Max(F32 a, F32 b) { return a > b ? a : b; }
PERCEPT_VECTOR_OP F32 Abs(F32 a) { return reinterpret_cast<F32>(reinterpret_cast<I32>(a) & 0x7fffffff); }
PERCEPT_VECTOR_OP F32 CopySign(F32 magnitude, F32 sign) {
  return reinterpret_cast<F32>((reinterpret_cast<I32>(magnitude) & 0x7fffffff) |
                               (reinterpret_cast<I32>(sign) & static_cast<int32_t>(0x80000000)));
}
// a < b ? yes : no, lane by lane.
PERCEPT_VECTOR_OP F32 IfLess(F32 a, F32 b, F32 yes, F32 no) { return a < b ? yes : no; }
// Nearest integer, ties to even, for |x| < 2^22.
PERCEPT_VECTOR_OP F32 Round(F32 x) {
  const F32 magic = Set(12582912.0f);  // 1.5 * 2^23: the sum has no bits below one
  const F32 shifted = x + magic;
  return shifted - magic;
}
// 2^n for whole n in [-126, 127].
PERCEPT_VECTOR_OP F32 PowerOfTwo(F32 n) { return reinterpret_cast<F32>((__builtin_convertvector(n, I32) + 127) << 23); }
PERCEPT_VECTOR_OP float Sum(F32 v) { return (v[0] + v[2]) + (v[1] + v[3]); }
PERCEPT_VECTOR_OP float Largest(F32 v) {
  const float a = v[0] > v[2] ? v[0] : v[2];
  const float b = v[1] > v[3] ? v[1] : v[3];
  return a > b ? a : b;
}

// rows[i][j] and rows[j][i] change places.
PERCEPT_VECTOR_OP void Transpose(F32 (&rows)[kLanes]) {
  const F32 a = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
  const F32 b = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
  const F32 c = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
  const F32 d = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
  rows[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
  rows[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
  rows[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
  rows[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

#undef PERCEPT_TARGET

}  // namespace percept::portable

#if defined(__x86_64__)

namespace percept::avx2 {

#define PERCEPT_TARGET __attribute__((target("avx2,fma,f16c")))

using F32 = __m256;
inline constexpr int kLanes = 8;

PERCEPT_VECTOR_OP F32 Set(float x) { return _mm256_set1_ps(x); }
PERCEPT_VECTOR_OP F32 Load(const float* p) { return _mm256_loadu_ps(p); }
PERCEPT_VECTOR_OP void Store(float* p, F32 v) { _mm256_storeu_ps(p, v); }
PERCEPT_VECTOR_OP __m256i FirstLanes(int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
PERCEPT_VECTOR_OP F32 LoadFirst(const float* p, int64_t count) { return _mm256_maskload_ps(p, FirstLanes(count)); }
PERCEPT_VECTOR_OP void StoreFirst(float* p, F32 v, int64_t count) { _mm256_maskstore_ps(p, FirstLanes(count), v); }
PERCEPT_VECTOR_OP F32 LoadBF16(const uint16_t* p) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
PERCEPT_VECTOR_OP F32 LoadFirstBF16(const uint16_t* p, int64_t count) {
  uint16_t lanes[8] = {};
  std::memcpy(lanes, p, static_cast<size_t>(count) * sizeof(uint16_t));
  return LoadBF16(lanes);
}
PERCEPT_VECTOR_OP F32 LoadEvenBF16(const uint16_t* p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), 16));
}
PERCEPT_VECTOR_OP F32 LoadOddBF16(const uint16_t* p) {
  const __m256i high = _mm256_set1_epi32(static_cast<int>(0xffff0000));
  return _mm256_castsi256_ps(_mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), high));
}
PERCEPT_VECTOR_OP F32 Fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
PERCEPT_VECTOR_OP F32 Min(F32 a, F32 b) { return _mm256_min_ps(a, b); }
PERCEPT_VECTOR_OP F32 Max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
PERCEPT_VECTOR_OP F32 Abs(F32 a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
PERCEPT_VECTOR_OP F32 CopySign(F32 magnitude, F32 sign) {
  return _mm256_or_ps(Abs(magnitude), _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
PERCEPT_VECTOR_OP F32 IfLess(F32 a, F32 b, F32 yes, F32 no) {
  return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
PERCEPT_VECTOR_OP F32 Round(F32 x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
PERCEPT_VECTOR_OP F32 PowerOfTwo(F32 n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
PERCEPT_VECTOR_OP float Sum(F32 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
PERCEPT_VECTOR_OP float Largest(F32 v) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

PERCEPT_VECTOR_OP void Transpose(F32 (&rows)[kLanes]) {
  F32 quads[8];  // quads[4 g + j]: column j and column 4 + j of rows 4 g .. 4 g + 3
#pragma GCC unroll 2
  for (int g = 0; g < 8; g += 4) {
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(rows[g], rows[g + 1]));
    const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(rows[g], rows[g + 1]));
    const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(rows[g + 2], rows[g + 3]));
    const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(rows[g + 2], rows[g + 3]));
    quads[g] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
    quads[g + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
    quads[g + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
    quads[g + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    rows[j] = _mm256_permute2f128_ps(quads[j], quads[4 + j], 0x20);
    rows[4 + j] = _mm256_permute2f128_ps(quads[j], quads[4 + j], 0x31);
  }
}

#undef PERCEPT_TARGET

}  // namespace percept::avx2

namespace percept::avx512 {

#define PERCEPT_TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))

using F32 = __m512;
inline constexpr int kLanes = 16;
// The masked forms below take all lanes: the plain ones draw false warnings from GCC 12.
inline constexpr __mmask16 kAll = 0xffff;

PERCEPT_VECTOR_OP F32 Set(float x) { return _mm512_set1_ps(x); }
PERCEPT_VECTOR_OP F32 Load(const float* p) { return _mm512_loadu_ps(p); }
PERCEPT_VECTOR_OP void Store(float* p, F32 v) { _mm512_storeu_ps(p, v); }
PERCEPT_VECTOR_OP __mmask16 FirstLanes(int64_t count) { return static_cast<__mmask16>((1u << count) - 1u); }
PERCEPT_VECTOR_OP F32 LoadFirst(const float* p, int64_t count) { return _mm512_maskz_loadu_ps(FirstLanes(count), p); }
PERCEPT_VECTOR_OP void StoreFirst(float* p, F32 v, int64_t count) { _mm512_mask_storeu_ps(p, FirstLanes(count), v); }
PERCEPT_VECTOR_OP F32 LoadBF16(const uint16_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAll, _mm512_maskz_cvtepu16_epi32(kAll, bits), 16));
}
PERCEPT_VECTOR_OP F32 LoadFirstBF16(const uint16_t* p, int64_t count) {
  const __m256i bits = _mm256_maskz_loadu_epi16(FirstLanes(count), p);
  return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAll, _mm512_maskz_cvtepu16_epi32(kAll, bits), 16));
}
PERCEPT_VECTOR_OP F32 LoadEvenBF16(const uint16_t* p) {
  return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAll, _mm512_loadu_si512(p), 16));
}
PERCEPT_VECTOR_OP F32 LoadOddBF16(const uint16_t* p) {
  const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000));
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), high));
}
PERCEPT_VECTOR_OP F32 Fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
PERCEPT_VECTOR_OP F32 Min(F32 a, F32 b) { return _mm512_maskz_min_ps(kAll, a, b); }
PERCEPT_VECTOR_OP F32 Max(F32 a, F32 b) { return _mm512_maskz_max_ps(kAll, a, b); }
PERCEPT_VECTOR_OP F32 Abs(F32 a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
PERCEPT_VECTOR_OP F32 CopySign(F32 magnitude, F32 sign) {
  return _mm512_or_ps(Abs(magnitude), _mm512_and_ps(_mm512_set1_ps(-0.0f), sign));
}
PERCEPT_VECTOR_OP F32 IfLess(F32 a, F32 b, F32 yes, F32 no) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}
PERCEPT_VECTOR_OP F32 Round(F32 x) {
  return _mm512_maskz_roundscale_ps(kAll, x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
PERCEPT_VECTOR_OP F32 PowerOfTwo(F32 n) { return _mm512_maskz_scalef_ps(kAll, _mm512_set1_ps(1.0f), n); }
PERCEPT_VECTOR_OP __m256 LowHalf(F32 v) { return _mm512_maskz_extractf32x8_ps(0xff, v, 0); }
PERCEPT_VECTOR_OP __m256 HighHalf(F32 v) { return _mm512_maskz_extractf32x8_ps(0xff, v, 1); }
PERCEPT_VECTOR_OP float Sum(F32 v) {
  const __m256 s = _mm256_add_ps(LowHalf(v), HighHalf(v));
  return avx2::Sum(s);
}
PERCEPT_VECTOR_OP float Largest(F32 v) {
  const __m256 s = _mm256_max_ps(LowHalf(v), HighHalf(v));
  return avx2::Largest(s);
}

PERCEPT_VECTOR_OP void Transpose(F32 (&rows)[kLanes]) {
  F32 quads[16];  // quads[4 g + j]: columns j, 4 + j, 8 + j, 12 + j of rows 4 g .. 4 g + 3
#pragma GCC unroll 4
  for (int g = 0; g < 16; g += 4) {
    const __m512d a = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(kAll, rows[g], rows[g + 1]));
    const __m512d b = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(kAll, rows[g], rows[g + 1]));
    const __m512d c = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(kAll, rows[g + 2], rows[g + 3]));
    const __m512d d = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(kAll, rows[g + 2], rows[g + 3]));
    quads[g] = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xff, a, c));
    quads[g + 1] = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xff, a, c));
    quads[g + 2] = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xff, b, d));
    quads[g + 3] = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xff, b, d));
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const F32 even_low = _mm512_maskz_shuffle_f32x4(kAll, quads[j], quads[4 + j], 0x88);
    const F32 odd_low = _mm512_maskz_shuffle_f32x4(kAll, quads[j], quads[4 + j], 0xdd);
    const F32 even_high = _mm512_maskz_shuffle_f32x4(kAll, quads[8 + j], quads[12 + j], 0x88);
    const F32 odd_high = _mm512_maskz_shuffle_f32x4(kAll, quads[8 + j], quads[12 + j], 0xdd);
    rows[j] = _mm512_maskz_shuffle_f32x4(kAll, even_low, even_high, 0x88);
    rows[4 + j] = _mm512_maskz_shuffle_f32x4(kAll, odd_low, odd_high, 0x88);
    rows[8 + j] = _mm512_maskz_shuffle_f32x4(kAll, even_low, even_high, 0xdd);
    rows[12 + j] = _mm512_maskz_shuffle_f32x4(kAll, odd_low, odd_high, 0xdd);
  }
}

#undef PERCEPT_TARGET

}  // namespace percept::avx512

#endif  // __x86_64__

#define PERCEPT_KERNELS "kernels/cpu/vector_functions.inc"
#include "kernels/cpu/each_isa.inc"
