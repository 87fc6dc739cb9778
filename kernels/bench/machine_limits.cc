// SPDX-License-Identifier: Apache-2.0
#include "kernels/bench/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <numeric>

#include "kernels/cpu/threads.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace percept {
namespace {

constexpr int64_t kPartBytes = int64_t{1} << 20;

using SumFunction = uint64_t (*)(const uint64_t* words, int64_t num_words);

uint64_t SumWords(const uint64_t* words, int64_t num_words) {
  uint64_t sums[8] = {};
  for (int64_t i = 0; i < num_words; i += 8) {
    for (int64_t lane = 0; lane < 8; ++lane) {
      sums[lane] += words[i + lane];
    }
  }
  return std::accumulate(std::begin(sums), std::end(sums), uint64_t{0});
}

#if defined(__x86_64__)

__attribute__((target("avx512f"))) uint64_t SumWordsAvx512(const uint64_t* words, int64_t num_words) {
  constexpr int64_t kAhead = 512;
  __m512i sums[4] = {};
  for (int64_t i = 0; i < num_words; i += 32) {
#pragma GCC unroll 4
    for (int64_t line = 0; line < 4; ++line) {
      __builtin_prefetch(words + i + 8 * line + kAhead);
      sums[line] = _mm512_add_epi64(sums[line], _mm512_loadu_si512(words + i + 8 * line));
    }
  }
  alignas(64) uint64_t lanes[8];
  _mm512_store_si512(lanes, _mm512_add_epi64(_mm512_add_epi64(sums[0], sums[1]), _mm512_add_epi64(sums[2], sums[3])));
  return std::accumulate(std::begin(lanes), std::end(lanes), uint64_t{0});
}

// As many sums as hide an instruction's latency. The operands seem to change in every round, or the compiler would
// compute a loop at once; that the sums are used is seen by it too.
constexpr int kChains = 12;

__attribute__((target("avx512f,avx512bw,avx512vnni"))) void MultiplyVnni(int64_t rounds) {
  __m512i codes = _mm512_set1_epi8(3), values = _mm512_set1_epi8(1);
  __m512i sums[kChains];
  std::fill(std::begin(sums), std::end(sums), _mm512_setzero_si512());
  for (int64_t i = 0; i < rounds; ++i) {
    __asm__ volatile("" : "+v"(codes), "+v"(values));
#pragma GCC unroll 12
    for (int chain = 0; chain < kChains; ++chain) {
      sums[chain] = _mm512_dpbusd_epi32(sums[chain], codes, values);
    }
  }
  for (__m512i& sum : sums) __asm__ volatile("" : "+v"(sum));
}

__attribute__((target("avx512f"))) void MultiplyAvx512(int64_t rounds) {
  __m512 a = _mm512_set1_ps(0.5F), b = _mm512_set1_ps(0.25F);
  __m512 sums[kChains];
  std::fill(std::begin(sums), std::end(sums), _mm512_setzero_ps());
  for (int64_t i = 0; i < rounds; ++i) {
    __asm__ volatile("" : "+v"(a), "+v"(b));
#pragma GCC unroll 12
    for (int chain = 0; chain < kChains; ++chain) {
      sums[chain] = _mm512_fmadd_ps(a, b, sums[chain]);
    }
  }
  for (__m512& sum : sums) __asm__ volatile("" : "+v"(sum));
}

__attribute__((target("avx2,fma"))) void MultiplyAvx2(int64_t rounds) {
  __m256 a = _mm256_set1_ps(0.5F), b = _mm256_set1_ps(0.25F);
  __m256 sums[kChains];
  std::fill(std::begin(sums), std::end(sums), _mm256_setzero_ps());
  for (int64_t i = 0; i < rounds; ++i) {
    __asm__ volatile("" : "+x"(a), "+x"(b));
#pragma GCC unroll 12
    for (int chain = 0; chain < kChains; ++chain) {
      sums[chain] = _mm256_fmadd_ps(a, b, sums[chain]);
    }
  }
  for (__m256& sum : sums) __asm__ volatile("" : "+x"(sum));
}

struct TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// Four sums, two operands of each side: the layout that a product uses most often.
__attribute__((target("amx-tile,amx-int8"))) void MultiplyTiles(int64_t rounds) {
  TileConfig config;
  std::fill_n(config.row_bytes, 8, uint16_t{64});
  std::fill_n(config.rows, 8, uint8_t{16});
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (int64_t i = 0; i < rounds; ++i) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
}

#endif

SumFunction FastestSum() {
#if defined(__x86_64__)
  if (DetectIsa() >= Isa::kAvx512) return &SumWordsAvx512;
#endif
  return &SumWords;
}

}  // namespace

MemoryReading::MemoryReading(int64_t size_bytes) : buffer_(static_cast<size_t>(size_bytes), Buffer::Pages::kHuge) {
  PERCEPT_CHECK(size_bytes % kPartBytes == 0);
  std::memset(buffer_.get(), 1, buffer_.size_bytes());
}

bool MemoryReading::ReadOnce() const {
  const SumFunction sum = FastestSum();
  std::atomic<uint64_t> total{0};
  ParallelFor(size_bytes() / kPartBytes, 1, [&](int64_t begin, int64_t end) {
    total += sum(reinterpret_cast<const uint64_t*>(buffer_.get() + begin * kPartBytes),
                 (end - begin) * kPartBytes / int64_t{sizeof(uint64_t)});
  });
  return total == 0x0101010101010101U * static_cast<uint64_t>(size_bytes() / int64_t{sizeof(uint64_t)});
}

ProductLoop FastestProducts(Isa isa) {
#if defined(__x86_64__)
  constexpr double kTileProducts = 4.0 * 16 * 16 * 64;
  if (isa >= Isa::kAmxBf16) return {"AMX int8", 2 * kTileProducts, &MultiplyTiles};
  if (isa >= Isa::kAvx512Vnni) return {"VNNI int8", 2.0 * kChains * 64, &MultiplyVnni};
  if (isa >= Isa::kAvx512) return {"AVX-512 f32", 2.0 * kChains * 16, &MultiplyAvx512};
  if (isa >= Isa::kAvx2) return {"AVX2 f32", 2.0 * kChains * 8, &MultiplyAvx2};
#endif
  return {"no vector products", 0, nullptr};
}

}  // namespace percept
