// SPDX-License-Identifier: Apache-2.0
#pragma once

// Vectors of 32-bit lanes for quantised weights, beside the F32 of vector_math.h: U32, kLanes of them, each lane four
// codes of a byte. U32 has the operators & | << >> of the compiler's vectors.

#include <cstdint>
#include <cstring>

#include "kernels/core/dtype.h"
#include "kernels/cpu/vector_math.h"

namespace percept::portable {

#define PERCEPT_TARGET

using U32 = uint32_t __attribute__((vector_size(16)));

PERCEPT_VECTOR_OP U32 LoadCodes(const std::byte* p) {
  U32 v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
PERCEPT_VECTOR_OP U32 SetInt(int32_t x) {
  const auto bits = static_cast<uint32_t>(x);
  return U32{bits, bits, bits, bits};
}
PERCEPT_VECTOR_OP F32 IntToFloat(U32 v) { return __builtin_convertvector(reinterpret_cast<I32>(v), F32); }
// The half in the low 16 bits of each lane; the others are 0.
PERCEPT_VECTOR_OP F32 HalfToFloat(U32 v) {
  return F32{F16ToFloat(static_cast<uint16_t>(v[0])), F16ToFloat(static_cast<uint16_t>(v[1])),
             F16ToFloat(static_cast<uint16_t>(v[2])), F16ToFloat(static_cast<uint16_t>(v[3]))};
}
// kLanes values of two bytes, or of one.
PERCEPT_VECTOR_OP F32 LoadF16(const std::byte* p) {
  uint16_t bits[kLanes];
  std::memcpy(bits, p, sizeof(bits));
  return F32{F16ToFloat(bits[0]), F16ToFloat(bits[1]), F16ToFloat(bits[2]), F16ToFloat(bits[3])};
}
PERCEPT_VECTOR_OP U32 LoadBytes(const std::byte* p) {
  return U32{static_cast<uint32_t>(p[0]), static_cast<uint32_t>(p[1]), static_cast<uint32_t>(p[2]),
             static_cast<uint32_t>(p[3])};
}
PERCEPT_VECTOR_OP U32 LoadSignedBytes(const std::byte* p) {
  return reinterpret_cast<U32>(reinterpret_cast<I32>(LoadBytes(p) << 24) >> 24);
}

// Dot products of lane i's four codes (unsigned) with the four signed bytes of `x`, none of them -128, in exact
// integers. EndDots(acc, Dot(Dot(BeginDots(acc), ...), ...)) adds to acc[i] those of as many groups as MaxDots says for
// codes that are below 2^bits, at most 6 of them.
constexpr int MaxDots(int /*bits*/) { return 8; }
PERCEPT_VECTOR_OP U32 BeginDots(U32 acc) { return acc; }
PERCEPT_VECTOR_OP U32 Dot(U32 dots, U32 codes, int32_t x) {
  using I16 = int16_t __attribute__((vector_size(16)));
  const I16 values = reinterpret_cast<I16>(SetInt(x));
  const I32 even = reinterpret_cast<I32>(reinterpret_cast<I16>(codes & 0x00ff00ffu) * ((values << 8) >> 8));
  const I32 odd = reinterpret_cast<I32>(reinterpret_cast<I16>(codes >> 8 & 0x00ff00ffu) * (values >> 8));
  return dots + reinterpret_cast<U32>(((even << 16) >> 16) + (even >> 16) + ((odd << 16) >> 16) + (odd >> 16));
}
PERCEPT_VECTOR_OP U32 EndDots(U32 /*acc*/, U32 dots) { return dots; }

// acc[i] + the dot product for any codes, less kByteOffset each.
constexpr int kByteOffset = 0;
PERCEPT_VECTOR_OP U32 DotBytes(U32 acc, U32 codes, int32_t x) { return Dot(acc, codes, x); }

#undef PERCEPT_TARGET

}  // namespace percept::portable

#if defined(__x86_64__)

namespace percept::avx2 {

#define PERCEPT_TARGET __attribute__((target("avx2,fma,f16c")))

using U32 = uint32_t __attribute__((vector_size(32)));

PERCEPT_VECTOR_OP U32 LoadCodes(const std::byte* p) {
  return reinterpret_cast<U32>(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
PERCEPT_VECTOR_OP U32 SetInt(int32_t x) { return reinterpret_cast<U32>(_mm256_set1_epi32(x)); }
PERCEPT_VECTOR_OP F32 IntToFloat(U32 v) { return _mm256_cvtepi32_ps(reinterpret_cast<__m256i>(v)); }
PERCEPT_VECTOR_OP F32 HalfToFloat(U32 v) {
  const auto words = reinterpret_cast<__m256i>(v);
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(words, words), 0x88);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}
PERCEPT_VECTOR_OP F32 LoadF16(const std::byte* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
PERCEPT_VECTOR_OP U32 LoadBytes(const std::byte* p) {
  return reinterpret_cast<U32>(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
PERCEPT_VECTOR_OP U32 LoadSignedBytes(const std::byte* p) {
  return reinterpret_cast<U32>(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}

// Sums of pairs in 16 bits, which 127 (2^bits - 1) times twice the number of groups must not overflow.
constexpr int MaxDots(int bits) { return 128 >> bits; }
PERCEPT_VECTOR_OP U32 BeginDots(U32 /*acc*/) { return SetInt(0); }
PERCEPT_VECTOR_OP U32 Dot(U32 dots, U32 codes, int32_t x) {
  const __m256i pairs = _mm256_maddubs_epi16(reinterpret_cast<__m256i>(codes), _mm256_set1_epi32(x));
  return reinterpret_cast<U32>(_mm256_add_epi16(reinterpret_cast<__m256i>(dots), pairs));
}
PERCEPT_VECTOR_OP U32 EndDots(U32 acc, U32 dots) {
  return acc + reinterpret_cast<U32>(_mm256_madd_epi16(reinterpret_cast<__m256i>(dots), _mm256_set1_epi16(1)));
}

// Sums of two products of 8 bits without a sign would saturate; those of a magnitude, at most 128, do not.
constexpr int kByteOffset = 128;
PERCEPT_VECTOR_OP U32 DotBytes(U32 acc, U32 codes, int32_t x) {
  const auto centred = reinterpret_cast<__m256i>(codes ^ 0x80808080u);
  const __m256i values = _mm256_sign_epi8(_mm256_set1_epi32(x), centred);
  return EndDots(acc, reinterpret_cast<U32>(_mm256_maddubs_epi16(_mm256_abs_epi8(centred), values)));
}

#undef PERCEPT_TARGET

}  // namespace percept::avx2

namespace percept::avx512 {

#define PERCEPT_TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))

using U32 = uint32_t __attribute__((vector_size(64)));

PERCEPT_VECTOR_OP U32 LoadCodes(const std::byte* p) { return reinterpret_cast<U32>(_mm512_loadu_si512(p)); }
PERCEPT_VECTOR_OP U32 SetInt(int32_t x) { return reinterpret_cast<U32>(_mm512_set1_epi32(x)); }
PERCEPT_VECTOR_OP F32 IntToFloat(U32 v) { return _mm512_maskz_cvtepi32_ps(kAll, reinterpret_cast<__m512i>(v)); }
PERCEPT_VECTOR_OP F32 HalfToFloat(U32 v) {
  return _mm512_maskz_cvtph_ps(kAll, _mm512_maskz_cvtepi32_epi16(kAll, reinterpret_cast<__m512i>(v)));
}
PERCEPT_VECTOR_OP F32 LoadF16(const std::byte* p) {
  return _mm512_maskz_cvtph_ps(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
PERCEPT_VECTOR_OP U32 LoadBytes(const std::byte* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return reinterpret_cast<U32>(_mm512_maskz_cvtepu8_epi32(kAll, bytes));
}
PERCEPT_VECTOR_OP U32 LoadSignedBytes(const std::byte* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return reinterpret_cast<U32>(_mm512_maskz_cvtepi8_epi32(kAll, bytes));
}

#undef PERCEPT_TARGET

}  // namespace percept::avx512

namespace percept::avx512vnni {

#define PERCEPT_TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))

using namespace ::percept::avx512;  // NOLINT: the same vectors, with one instruction more

constexpr int MaxDots(int /*bits*/) { return 8; }
PERCEPT_VECTOR_OP U32 BeginDots(U32 acc) { return acc; }
PERCEPT_VECTOR_OP U32 Dot(U32 dots, U32 codes, int32_t x) {
  return reinterpret_cast<U32>(
      _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(dots), reinterpret_cast<__m512i>(codes), _mm512_set1_epi32(x)));
}
PERCEPT_VECTOR_OP U32 EndDots(U32 /*acc*/, U32 dots) { return dots; }

constexpr int kByteOffset = 0;
PERCEPT_VECTOR_OP U32 DotBytes(U32 acc, U32 codes, int32_t x) { return Dot(acc, codes, x); }

#undef PERCEPT_TARGET

}  // namespace percept::avx512vnni

#endif  // __x86_64__
