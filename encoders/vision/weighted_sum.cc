// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/weighted_sum.h"

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
// GCC 12 takes the deliberately undefined operand inside its own AVX-512 intrinsics for a mistake of the caller.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace percept {
namespace {

// Bytes summed at once. A cell is 48 pixels wide, so rows of resized pictures divide evenly.
constexpr int64_t kBlockBytes = 48;

struct SumArgs {
  const uint8_t* in;
  ptrdiff_t step_bytes;
  const int32_t* weights;
  int64_t num_taps;
  int bits;
  uint8_t* out;

  SumArgs At(int64_t i) const { return {in + i, step_bytes, weights, num_taps, bits, out + i}; }
};

void SumBytes(const SumArgs& args, int64_t num_bytes) {
  for (int64_t i = 0; i < num_bytes; ++i) {
    int32_t sum = 1 << (args.bits - 1);
    for (int64_t j = 0; j < args.num_taps; ++j) sum += args.weights[j] * args.in[j * args.step_bytes + i];
    args.out[i] = static_cast<uint8_t>(std::clamp(sum >> args.bits, 0, 255));
  }
}

void SumBlockPortable(const SumArgs& args) {
  int32_t sums[kBlockBytes];
  std::fill(sums, sums + kBlockBytes, 1 << (args.bits - 1));
  const uint8_t* in = args.in;
  for (int64_t j = 0; j < args.num_taps; ++j, in += args.step_bytes) {
    const int32_t weight = args.weights[j];
    for (int64_t i = 0; i < kBlockBytes; ++i) sums[i] += weight * in[i];
  }
  for (int64_t i = 0; i < kBlockBytes; ++i) {
    args.out[i] = static_cast<uint8_t>(std::clamp(sums[i] >> args.bits, 0, 255));
  }
}

#if defined(__x86_64__)

// The vector kernels take taps in pairs through the 16-bit multiply-add, so each weight is split into
// high * 2^kSplitBits + low. Partial sums may wrap; the total fits 32 bits, hence is exact.
constexpr int kSplitBits = 12;

struct TapPair {
  const uint8_t* first;
  const uint8_t* second;
  int32_t high;  // two int16: of the first tap, of the second tap
  int32_t low;
};

int32_t PackInt16(int32_t first, int32_t second) {
  return static_cast<int32_t>((static_cast<uint32_t>(second) << 16) | (static_cast<uint32_t>(first) & 0xffff));
}

TapPair LoadTaps(const SumArgs& args, int64_t j) {
  constexpr int32_t kLowMask = (1 << kSplitBits) - 1;
  const bool has_second = j + 1 < args.num_taps;
  const int32_t w0 = args.weights[j];
  const int32_t w1 = has_second ? args.weights[j + 1] : 0;
  const uint8_t* first = args.in + j * args.step_bytes;
  return {first, has_second ? first + args.step_bytes : first, PackInt16(w0 >> kSplitBits, w1 >> kSplitBits),
          PackInt16(w0 & kLowMask, w1 & kLowMask)};
}

__attribute__((target("avx2"))) __m128i Load16(const uint8_t* bytes) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

__attribute__((target("avx2"))) void Store16(uint8_t* out, __m128i bytes) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
}

__attribute__((target("avx2"))) void SumBlockAvx2(const SumArgs& args) {
  constexpr int kVectors = 6;  // of eight sums
  __m256i high[kVectors];
  __m256i low[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    high[v] = _mm256_setzero_si256();
    low[v] = _mm256_set1_epi32(1 << (args.bits - 1));
  }
  for (int64_t j = 0; j < args.num_taps; j += 2) {
    const TapPair taps = LoadTaps(args, j);
    const __m256i high_weights = _mm256_set1_epi32(taps.high);
    const __m256i low_weights = _mm256_set1_epi32(taps.low);
#pragma GCC unroll 3
    for (int part = 0; part < 3; ++part) {
      const __m128i a = Load16(taps.first + 16 * part);
      const __m128i b = Load16(taps.second + 16 * part);
      const __m256i left = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
      const __m256i right = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
      high[2 * part] = _mm256_add_epi32(high[2 * part], _mm256_madd_epi16(left, high_weights));
      low[2 * part] = _mm256_add_epi32(low[2 * part], _mm256_madd_epi16(left, low_weights));
      high[2 * part + 1] = _mm256_add_epi32(high[2 * part + 1], _mm256_madd_epi16(right, high_weights));
      low[2 * part + 1] = _mm256_add_epi32(low[2 * part + 1], _mm256_madd_epi16(right, low_weights));
    }
  }
  const __m128i shift = _mm_cvtsi32_si128(args.bits);
  for (int v = 0; v < kVectors; ++v) {
    low[v] = _mm256_sra_epi32(_mm256_add_epi32(_mm256_slli_epi32(high[v], kSplitBits), low[v]), shift);
  }
  for (int part = 0; part < 3; ++part) {
    const __m256i words = _mm256_packs_epi32(low[2 * part], low[2 * part + 1]);  // order of quarters: 0 2 1 3
    const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
    Store16(args.out + 16 * part,
            _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1)));
  }
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))) void SumBlockAvx512(const SumArgs& args) {
  constexpr int kVectors = 3;  // of sixteen sums
  __m512i high[kVectors];
  __m512i low[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    high[v] = _mm512_setzero_si512();
    low[v] = _mm512_set1_epi32(1 << (args.bits - 1));
  }
  for (int64_t j = 0; j < args.num_taps; j += 2) {
    const TapPair taps = LoadTaps(args, j);
    const __m512i high_weights = _mm512_set1_epi32(taps.high);
    const __m512i low_weights = _mm512_set1_epi32(taps.low);
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) {
      const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(taps.first + 16 * v));
      const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(taps.second + 16 * v));
      const __m512i pairs = _mm512_cvtepu8_epi16(_mm256_set_m128i(_mm_unpackhi_epi8(a, b), _mm_unpacklo_epi8(a, b)));
      high[v] = _mm512_add_epi32(high[v], _mm512_madd_epi16(pairs, high_weights));
      low[v] = _mm512_add_epi32(low[v], _mm512_madd_epi16(pairs, low_weights));
    }
  }
  const __m128i shift = _mm_cvtsi32_si128(args.bits);
  for (int v = 0; v < kVectors; ++v) {
    const __m512i sum = _mm512_add_epi32(_mm512_slli_epi32(high[v], kSplitBits), low[v]);
    const __m512i level = _mm512_max_epi32(_mm512_sra_epi32(sum, shift), _mm512_setzero_si512());
    _mm_storeu_si128(reinterpret_cast<__m128i*>(args.out + 16 * v), _mm512_cvtusepi32_epi8(level));
  }
}

#endif

template <void (*kSumBlock)(const SumArgs&)>
void SumRow(const uint8_t* in, ptrdiff_t step_bytes, const int32_t* weights, int64_t num_taps, int bits, uint8_t* out,
            int64_t num_bytes) {
  const SumArgs args{in, step_bytes, weights, num_taps, bits, out};
  int64_t i = 0;
  for (; i + kBlockBytes <= num_bytes; i += kBlockBytes) kSumBlock(args.At(i));
  SumBytes(args.At(i), num_bytes - i);
}

}  // namespace

WeightedSumFn SelectWeightedSum(Isa isa) {
#if defined(__x86_64__)
  if (isa >= Isa::kAvx512) return SumRow<SumBlockAvx512>;
  if (isa >= Isa::kAvx2) return SumRow<SumBlockAvx2>;
#endif
  static_cast<void>(isa);
  return SumRow<SumBlockPortable>;
}

}  // namespace percept
