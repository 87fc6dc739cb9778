// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/linear_bf16.h"

#include <algorithm>

#include "kernels/cpu/threads.h"
#include "kernels/cpu/vector_math.h"

namespace percept::ops {
namespace {

// Scratch is one slice per slot; more workers than this find none.
constexpr int64_t kMaxSlots = 32;
// A block of weights of about this size stays in the second-level cache beside a tile of rows.
constexpr int64_t kBlockBytes = 400 << 10;
constexpr int64_t kMaxBlockPanels = 8;
constexpr int64_t kMaxTileRows = 64;
constexpr int64_t kMaxProductScratch = 64 << 10;
constexpr int64_t kSlotBytes =
    kMaxProductScratch + kMaxTileRows * kMaxBlockPanels * kPanelWidth * static_cast<int64_t>(sizeof(float));

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t RoundUpDepth(int64_t in) { return CeilDivide(in, kBF16BlockDepth) * kBF16BlockDepth; }

#if defined(__x86_64__)

#define PERCEPT_BF16_TARGET __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

// out = bf16(clamp(x)), zeros up to `depth`.
PERCEPT_BF16_TARGET void NarrowRow(const float* x, int64_t cols, float low, float high, int64_t depth, uint16_t* out) {
  for (int64_t i = 0; i < depth; i += avx512::kLanes) {
    const int64_t count = std::clamp<int64_t>(cols - i, 0, avx512::kLanes);
    const __mmask16 present = avx512::FirstLanes(count);
    const __m512 value = avx512::Min(avx512::Set(high), avx512::Max(avx512::Set(low), avx512::LoadFirst(x + i, count)));
    const __m256bh narrow = _mm512_maskz_cvtneps_pbh(present, value);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), reinterpret_cast<const __m256i&>(narrow));
  }
}

PERCEPT_BF16_TARGET void CopyClamped(const float* x, int64_t cols, float low, float high, float* y) {
  for (int64_t i = 0; i < cols; i += avx512::kLanes) {
    const int64_t count = std::min<int64_t>(cols - i, avx512::kLanes);
    const __m512 value = avx512::LoadFirst(x + i, count);
    avx512::StoreFirst(y + i, avx512::Min(avx512::Set(high), avx512::Max(avx512::Set(low), value)), count);
  }
}

#else

void NarrowRow(const float* x, int64_t cols, float low, float high, int64_t depth, uint16_t* out) {
  for (int64_t i = 0; i < depth; ++i) {
    out[i] = i < cols ? FloatToBF16(std::min(high, std::max(low, x[i]))) : uint16_t{0};
  }
}

void CopyClamped(const float* x, int64_t cols, float low, float high, float* y) {
  for (int64_t i = 0; i < cols; ++i) {
    y[i] = std::min(high, std::max(low, x[i]));
  }
}

#endif

}  // namespace

BF16Blocking BlockingOf(int64_t in_features, int64_t out_features) {
  BF16Blocking blocking;
  blocking.depth = RoundUpDepth(in_features);
  const int64_t panels = NumPanels(out_features);
  const int64_t most = std::clamp<int64_t>(kBlockBytes / PanelBytes(DType::kBF16, in_features), 1, kMaxBlockPanels);
  blocking.num_blocks = CeilDivide(panels, most);
  blocking.block_panels = CeilDivide(panels, blocking.num_blocks);
  blocking.num_blocks = CeilDivide(panels, blocking.block_panels);
  // Small tiles waste less on the last rows; products too small for the cost of a call take the large ones.
  constexpr int64_t kSmallProduct = 1 << 17;
  blocking.tile_rows = blocking.depth * blocking.block_panels * kPanelWidth < kSmallProduct ? kMaxTileRows : 32;
  return blocking;
}

bool LinearBF16::Prepare(int64_t out_features) {
  std::call_once(once_, [&] {
    product_.emplace(blocking_.tile_rows, blocking_.depth, blocking_.block_panels * kPanelWidth);
    native_ = product_->native() && product_->scratch_bytes() <= kMaxProductScratch;
    const int64_t last_panels = NumPanels(out_features) - (blocking_.num_blocks - 1) * blocking_.block_panels;
    if (last_panels < blocking_.block_panels) {
      last_product_.emplace(blocking_.tile_rows, blocking_.depth, last_panels * kPanelWidth);
      native_ = native_ && last_product_->native() && last_product_->scratch_bytes() <= kMaxProductScratch;
    }
  });
  return native_;
}

bool LinearBF16::Run(const LinearArgs& args, float input_min, float input_max, Arena& scratch) {
  if (!Prepare(args.out)) {
    return false;
  }
  const int64_t rows = args.x.rows;
  const int64_t tile_rows = blocking_.tile_rows;
  const int64_t depth = blocking_.depth;
  const int64_t tiles = CeilDivide(rows, tile_rows);
  uint16_t* narrow = scratch.Allocate<uint16_t>(tiles * tile_rows * depth);  // [tiles * tile_rows, depth]
  constexpr int64_t kNarrowGrain = 1 << 15;
  ParallelFor(tiles * tile_rows, std::max<int64_t>(1, kNarrowGrain / depth), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const bool exists = row < rows;
      NarrowRow(exists ? args.x.row(row) : nullptr, exists ? args.x.cols : 0, input_min, input_max, depth,
                narrow + row * depth);
    }
  });

  // An item is one block of weights times a run of tiles: long enough to reuse the block, short enough to balance.
  constexpr int64_t kMaxItemTiles = 16;
  const int64_t item_tiles = std::clamp<int64_t>(tiles * blocking_.num_blocks / (4 * NumWorkers()), 1, kMaxItemTiles);
  const int64_t row_items = CeilDivide(tiles, item_tiles);
  const int64_t slots = std::min<int64_t>(kMaxSlots, NumWorkers());
  std::byte* slices = scratch.Allocate<std::byte>(slots * kSlotBytes);
  const int64_t panel_bytes = PanelBytes(DType::kBF16, args.in);
  ParallelForSlots(blocking_.num_blocks * row_items, slots, [&](int64_t slot, int64_t item) {
    const int64_t block = item / row_items;
    const int64_t first_col = block * blocking_.block_panels * kPanelWidth;
    const bool last = block + 1 == blocking_.num_blocks && last_product_.has_value();
    const BF16Product& product = last ? *last_product_ : *product_;
    std::byte* slice = slices + slot * kSlotBytes;
    float* out = reinterpret_cast<float*>(slice + kMaxProductScratch);  // [tile_rows, product.cols()]
    BF16Product::Runner runner(product, slice);
    const int64_t first_tile = item % row_items * item_tiles;
    for (int64_t tile = first_tile; tile < std::min(tiles, first_tile + item_tiles); ++tile) {
      runner.Run(narrow + tile * tile_rows * depth, args.weight + block * blocking_.block_panels * panel_bytes, out);
      const int64_t first_row = tile * tile_rows;
      for (int64_t row = first_row; row < std::min(rows, first_row + tile_rows); ++row) {
        CopyClamped(out + (row - first_row) * product.cols(), std::min(product.cols(), args.out - first_col),
                    args.output_min, args.output_max, args.y.row(row) + first_col);
      }
    }
  });
  return true;
}

size_t LinearBF16ScratchBytes(int64_t rows, int64_t max_in_features) {
  const int64_t padded_rows = CeilDivide(rows, kMaxTileRows) * kMaxTileRows;
  return static_cast<size_t>(padded_rows * RoundUpDepth(max_in_features) * 2 + kMaxSlots * kSlotBytes);
}

}  // namespace percept::ops
