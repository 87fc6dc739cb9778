// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/attention_bf16.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/cpu/threads.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/attention_cpu.h"

namespace percept::ops {
namespace {

constexpr int64_t kTileRows = 32;    // query rows of a tile: two matrix tiles high
constexpr int64_t kPanelCols = 32;   // keys or value columns of a panel: two matrix tiles wide
constexpr int64_t kChunkKeys = 256;  // keys between two looks at the running maximum
constexpr int64_t kMaxSlots = 32;
constexpr int64_t kMaxPackedKeys = 16384;  // bounds the scratch of a long context; enough for every tower
// Row strides that keep the rows of a matrix tile out of each other's cache sets.
constexpr int64_t kScoreStride = kChunkKeys + 16;
constexpr int64_t kWeightStride = kChunkKeys + 32;

int64_t RoundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// Keys and values of one kv head in bf16. depth: head_dim rounded up to 32; missing elements and keys are zero.
struct PackedKeys {
  int64_t begin = 0;      // position of key 0
  int64_t count = 0;      // keys, a multiple of 32
  int64_t depth = 0;      //
  uint16_t* k = nullptr;  // [count / 32][depth / 2][32 keys][2]
  uint16_t* v = nullptr;  // [depth / 32][count / 2][32 columns][2 keys]
};

// A tile's buffers, one set per slot.
struct Tile {
  int64_t rows = 0;
  KeyRange ranges[kTileRows];
  float max[kTileRows];
  float sum[kTileRows];
  uint16_t* q = nullptr;        // [32, depth]
  float* scores = nullptr;      // [32, kScoreStride]
  uint16_t* weights = nullptr;  // [32, kWeightStride]
  float* acc = nullptr;         // [32, depth]
};

int64_t SliceBytes(int64_t depth) { return kTileRows * (depth * 2 + kScoreStride * 4 + kWeightStride * 2 + depth * 4); }

#if defined(__x86_64__)

#define PERCEPT_AMX_TARGET \
  __attribute__((noinline, target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")))
#define PERCEPT_AMX_INLINE      \
  __attribute__((always_inline, \
                 target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16"))) inline

using avx512::F32;

// The compiler does not know that tile instructions read memory.
PERCEPT_AMX_INLINE void FinishStores() { __asm__ volatile("" ::: "memory"); }

PERCEPT_AMX_TARGET void ConfigureTiles() {
  struct alignas(64) {
    uint8_t palette = 1;
    uint8_t start_row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } config;
  FinishStores();
  _tile_loadconfig(&config);
}

PERCEPT_AMX_TARGET void ReleaseTiles() { _tile_release(); }

PERCEPT_AMX_INLINE __m512 LoadUpTo(const float* p, int64_t count) {
  return count >= avx512::kLanes ? avx512::Load(p) : count > 0 ? avx512::LoadFirst(p, count) : avx512::Set(0.0f);
}

// 16 keys from position on: k as pairs of elements side by side, key by key. Null rows are zero.
PERCEPT_AMX_TARGET void PackKeys(const float* const* rows, int64_t head_dim, int64_t depth, uint16_t* k) {
  for (int64_t i = 0; i < depth; i += 32) {
    F32 words[16];  // pairs of bf16
    for (int r = 0; r < 16; ++r) {
      if (rows[r] == nullptr) {
        words[r] = avx512::Set(0.0f);
        continue;
      }
      const __m512bh pairs =
          _mm512_cvtne2ps_pbh(LoadUpTo(rows[r] + i + 16, head_dim - i - 16), LoadUpTo(rows[r] + i, head_dim - i));
      words[r] = reinterpret_cast<const F32&>(pairs);
    }
    avx512::Transpose(words);
    for (int p = 0; p < 16; ++p) {
      avx512::Store(reinterpret_cast<float*>(k + (i / 2 + p) * 2 * kPanelCols), words[p]);
    }
  }
}

PERCEPT_AMX_INLINE __m512i NarrowToWords(const float* row, int64_t i, int64_t head_dim) {
  const __m256bh narrow =
      _mm512_maskz_cvtneps_pbh(avx512::kAll, row == nullptr ? avx512::Set(0.0f) : LoadUpTo(row + i, head_dim - i));
  return _mm512_maskz_cvtepu16_epi32(avx512::kAll, reinterpret_cast<const __m256i&>(narrow));
}

// Two neighbouring keys' values, column by column.
PERCEPT_AMX_TARGET void PackValues(const float* first, const float* second, int64_t head_dim, int64_t depth,
                                   int64_t panel_stride, uint16_t* v) {
  for (int64_t i = 0; i < depth; i += 16) {
    const __m512i low = NarrowToWords(first, i, head_dim);
    const __m512i high = _mm512_maskz_slli_epi32(avx512::kAll, NarrowToWords(second, i, head_dim), 16);
    _mm512_storeu_si512(v + i / kPanelCols * panel_stride + i % kPanelCols * 2, _mm512_or_si512(low, high));
  }
}

// q rows in bf16, times log2 e: the softmax is taken in powers of two.
PERCEPT_AMX_TARGET void PackQuery(const float* q, int64_t head_dim, int64_t depth, uint16_t* out) {
  const F32 log2_e = avx512::Set(1.44269504f);
  for (int64_t i = 0; i < depth; i += 16) {
    const __m256bh narrow = _mm512_maskz_cvtneps_pbh(avx512::kAll, LoadUpTo(q + i, head_dim - i) * log2_e);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), reinterpret_cast<const __m256i&>(narrow));
  }
}

// c[32, 32] (+)= a[32, 32 steps] b. Strides in bytes; b's rows are 128 bytes apart.
PERCEPT_AMX_INLINE void MultiplyTiles(const uint16_t* a, int64_t a_stride, const uint16_t* b, int64_t steps,
                                      bool accumulate, float* c, int64_t c_stride) {
  float* c_low = c + 16 * (c_stride / 4);
  const uint16_t* a_low = a + 16 * (a_stride / 2);
  FinishStores();
  if (accumulate) {
    _tile_loadd(0, c, c_stride);
    _tile_loadd(1, c + 16, c_stride);
    _tile_loadd(2, c_low, c_stride);
    _tile_loadd(3, c_low + 16, c_stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t step = 0; step < steps; ++step) {
    _tile_loadd(4, a + step * 32, a_stride);
    _tile_loadd(6, b + step * 32 * kPanelCols, 4 * kPanelCols);
    _tile_loadd(7, b + step * 32 * kPanelCols + 32, 4 * kPanelCols);
    _tile_loadd(5, a_low + step * 32, a_stride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, c_stride);
  _tile_stored(1, c + 16, c_stride);
  _tile_stored(2, c_low, c_stride);
  _tile_stored(3, c_low + 16, c_stride);
}

// Scores of `count` keys from key `first` on (multiples of 32).
PERCEPT_AMX_TARGET void Scores(const Tile& tile, const PackedKeys& keys, int64_t first, int64_t count) {
  for (int64_t j = 0; j < count; j += kPanelCols) {
    MultiplyTiles(tile.q, keys.depth * 2, keys.k + (first + j) * keys.depth, keys.depth / 32, false, tile.scores + j,
                  kScoreStride * 4);
  }
}

// acc += weights v.
PERCEPT_AMX_TARGET void AddValues(const Tile& tile, const PackedKeys& keys, int64_t first, int64_t count) {
  for (int64_t i = 0; i < keys.depth; i += kPanelCols) {
    MultiplyTiles(tile.weights, kWeightStride * 2, keys.v + i * keys.count + first * kPanelCols, count / 32, true,
                  tile.acc + i, keys.depth * 4);
  }
}

// 2^x for x <= 0 to 1e-4, below what rounding to bf16 leaves: 2^floor(x) times a cubic in the fraction.
PERCEPT_AMX_INLINE F32 PowerOfTwoRough(F32 x) {
  constexpr int kFractionAboveFloor = 0x09;  // x - floor(x), no exceptions
  const F32 fraction = _mm512_maskz_reduce_ps(avx512::kAll, x, kFractionAboveFloor);
  F32 p = avx512::Set(0.077067069709301f);
  p = avx512::Fma(p, fraction, avx512::Set(0.22764495015144348f));
  p = avx512::Fma(p, fraction, avx512::Set(0.6951168179512024f));
  p = avx512::Fma(p, fraction, avx512::Set(1.0f));
  return _mm512_maskz_scalef_ps(avx512::kAll, p, x);  // by 2^floor(x)
}

// Weights of one row over `count` keys, of which it sees [low, high).
PERCEPT_AMX_INLINE void SoftmaxRow(Tile& tile, int64_t row, int64_t low, int64_t high, int64_t count, int64_t depth) {
  // Finite, so that differences of what no key was seen for stay numbers; far below what a sum of products reaches.
  constexpr float kUnseen = -1e30f;
  float* scores = tile.scores + row * kScoreStride;
  std::fill(scores, scores + low, kUnseen);
  std::fill(scores + high, scores + count, kUnseen);
  F32 largest = avx512::Set(tile.max[row]);
  for (int64_t j = 0; j < count; j += 32) {
    largest = avx512::Max(largest, avx512::Max(avx512::Load(scores + j), avx512::Load(scores + j + 16)));
  }
  const float max = avx512::Largest(largest);
  const F32 offset = avx512::Set(max);
  F32 sum = avx512::Set(0.0f);
  uint16_t* weights = tile.weights + row * kWeightStride;
  for (int64_t j = 0; j < count; j += 32) {
    const F32 left = PowerOfTwoRough(avx512::Load(scores + j) - offset);
    const F32 right = PowerOfTwoRough(avx512::Load(scores + j + 16) - offset);
    sum = sum + (left + right);
    const __m512bh narrow = _mm512_cvtne2ps_pbh(right, left);
    _mm512_storeu_si512(weights + j, reinterpret_cast<const __m512i&>(narrow));
  }
  if (max > tile.max[row]) {
    const F32 factor = PowerOfTwoRough(avx512::Set(tile.max[row] - max));
    tile.sum[row] *= _mm512_cvtss_f32(factor);
    for (int64_t i = 0; i < depth; i += 16) {
      float* acc = tile.acc + row * depth + i;
      avx512::Store(acc, avx512::Load(acc) * factor);
    }
    tile.max[row] = max;
  }
  tile.sum[row] += avx512::Sum(sum);
}

PERCEPT_AMX_TARGET void AddChunk(Tile& tile, const PackedKeys& keys, int64_t first, int64_t count) {
  Scores(tile, keys, first, count);
  for (int64_t row = 0; row < tile.rows; ++row) {
    const KeyRange& range = tile.ranges[row];
    const int64_t low = std::clamp<int64_t>(range.begin - keys.begin - first, 0, count);
    const int64_t high = std::clamp<int64_t>(range.end - keys.begin - first, low, count);
    SoftmaxRow(tile, row, low, high, count, keys.depth);
  }
  AddValues(tile, keys, first, count);
}

#else  // never run: UsesAttentionBF16 is false

void ConfigureTiles() {}
void ReleaseTiles() {}
void PackKeys(const float* const*, int64_t, int64_t, uint16_t*) {}
void PackValues(const float*, const float*, int64_t, int64_t, int64_t, uint16_t*) {}
void PackQuery(const float*, int64_t, int64_t, uint16_t*) {}
void AddChunk(Tile&, const PackedKeys&, int64_t, int64_t) {}

#endif

// Keys [first, first + 32) of kv head `kv_head`.
void PackPanel(const KeyValueView& keys, int64_t kv_head, int64_t end, int64_t first, const PackedKeys& packed) {
  const float* k_rows[kPanelCols];
  const float* v_rows[kPanelCols];
  for (int64_t i = 0; i < kPanelCols; ++i) {
    const int64_t position = packed.begin + first + i;
    const KeyRow row = position < end ? RowOf(keys, kv_head, position) : KeyRow{nullptr, nullptr};
    k_rows[i] = row.k;
    v_rows[i] = row.v;
  }
  uint16_t* k = packed.k + first * packed.depth;
  PackKeys(k_rows, keys.head_dim, packed.depth, k);
  PackKeys(k_rows + 16, keys.head_dim, packed.depth, k + 32);
  for (int64_t i = 0; i < kPanelCols; i += 2) {
    PackValues(v_rows[i], v_rows[i + 1], keys.head_dim, packed.depth, packed.count * kPanelCols,
               packed.v + (first + i) * kPanelCols);
  }
}

Tile TileIn(std::byte* slice, int64_t depth) {
  Tile tile;
  tile.acc = reinterpret_cast<float*>(slice);
  tile.scores = tile.acc + kTileRows * depth;
  tile.q = reinterpret_cast<uint16_t*>(tile.scores + kTileRows * kScoreStride);
  tile.weights = tile.q + kTileRows * depth;
  return tile;
}

struct Head {
  ConstMatrixView q;  // [rows, group * head_dim], this kv head's columns
  MatrixView out;
  int64_t group;
  int64_t head_dim;
  std::span<const KeyRange> ranges;
  const PackedKeys& keys;
};

// All query heads of rows [first, first + steps).
void RunTile(const Head& head, int64_t first, int64_t steps, std::byte* slice) {
  const int64_t depth = head.keys.depth;
  Tile tile = TileIn(slice, depth);
  tile.rows = steps * head.group;
  KeyRange all = head.ranges[static_cast<size_t>(first)];
  for (int64_t row = 0; row < tile.rows; ++row) {
    const int64_t step = first + row / head.group;
    tile.ranges[row] = head.ranges[static_cast<size_t>(step)];
    all.begin = std::min(all.begin, tile.ranges[row].begin);
    all.end = std::max(all.end, tile.ranges[row].end);
    PackQuery(head.q.row(step) + row % head.group * head.head_dim, head.head_dim, depth, tile.q + row * depth);
  }
  std::fill(tile.q + tile.rows * depth, tile.q + kTileRows * depth, uint16_t{0});
  std::fill_n(tile.weights, kTileRows * kWeightStride, uint16_t{0});
  std::fill_n(tile.acc, kTileRows * depth, 0.0f);
  std::fill_n(tile.max, kTileRows, -1e29f);  // between kUnseen and any score
  std::fill_n(tile.sum, kTileRows, 0.0f);
  ConfigureTiles();
  const int64_t last = RoundUp(all.end - head.keys.begin, kPanelCols);
  for (int64_t key = (all.begin - head.keys.begin) / kPanelCols * kPanelCols; key < last; key += kChunkKeys) {
    AddChunk(tile, head.keys, key, std::min(kChunkKeys, last - key));
  }
  ReleaseTiles();
  for (int64_t row = 0; row < tile.rows; ++row) {
    float* out = head.out.row(first + row / head.group) + row % head.group * head.head_dim;
    const float scale = 1.0f / tile.sum[row];
    for (int64_t i = 0; i < head.head_dim; ++i) {
      out[i] = tile.acc[row * depth + i] * scale;
    }
  }
}

}  // namespace

bool UsesAttentionBF16(const KernelContext& context, int64_t rows, int64_t group, int64_t num_keys) {
  constexpr int64_t kWorthPacking = 1 << 14;  // pairs of a query row and a key
  return context.mode == Mode::kFast && context.isa >= Isa::kAmxBf16 && group <= kTileRows &&
         rows * group >= kTileRows && rows * group * num_keys >= kWorthPacking && num_keys <= kMaxPackedKeys;
}

void AttentionBF16(ConstMatrixView q, int64_t group, const KeyValueView& keys, std::span<const KeyRange> ranges,
                   KeyRange all, MatrixView out, Arena& scratch) {
  PackedKeys packed;
  packed.begin = all.begin;
  packed.count = RoundUp(all.end - all.begin, kPanelCols);
  packed.depth = RoundUp(keys.head_dim, 32);
  packed.k = scratch.Allocate<uint16_t>(packed.count * packed.depth);
  packed.v = scratch.Allocate<uint16_t>(packed.count * packed.depth);
  const int64_t tile_steps = kTileRows / group;
  const int64_t tiles = (q.rows + tile_steps - 1) / tile_steps;
  const int64_t slots = std::min<int64_t>({kMaxSlots, NumWorkers(), tiles});
  const int64_t slice_bytes = SliceBytes(packed.depth);
  std::byte* slices = scratch.Allocate<std::byte>(slots * slice_bytes);
  const int64_t width = group * keys.head_dim;
  for (int64_t kv_head = 0; kv_head < keys.kv_heads; ++kv_head) {
    constexpr int64_t kPackGrain = 4;
    ParallelFor(packed.count / kPanelCols, kPackGrain, [&](int64_t begin, int64_t end) {
      for (int64_t panel = begin; panel < end; ++panel) {
        PackPanel(keys, kv_head, all.end, panel * kPanelCols, packed);
      }
    });
    const Head head{{q.data + kv_head * width, q.rows, width, q.stride},
                    {out.data + kv_head * width, out.rows, width, out.stride},
                    group,
                    keys.head_dim,
                    ranges,
                    packed};
    ParallelForSlots(tiles, slots, [&](int64_t slot, int64_t item) {
      // Last tiles first: under a causal mask they are the long ones.
      const int64_t first = (tiles - 1 - item) * tile_steps;
      RunTile(head, first, std::min(tile_steps, q.rows - first), slices + slot * slice_bytes);
    });
  }
}

size_t AttentionBF16ScratchBytes(int64_t head_dim, int64_t max_keys) {
  const int64_t depth = RoundUp(head_dim, 32);
  return static_cast<size_t>(RoundUp(std::min(max_keys, kMaxPackedKeys), kPanelCols) * depth * 4 +
                             kMaxSlots * SliceBytes(depth));
}

}  // namespace percept::ops
