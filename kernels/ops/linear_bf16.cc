// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/linear_bf16.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/cpu/threads.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/bf16_rows.h"

namespace percept::ops {
namespace {

// Scratch is one slice per slot; more workers than this find none.
constexpr int64_t kMaxSlots = 32;
// A block of weights of about this size stays in the second-level cache beside a tile of rows.
constexpr int64_t kBlockBytes = 1280 << 10;
constexpr int64_t kMaxBlockPanels = 12;
constexpr int64_t kMaxTileRows = 64;
constexpr int64_t kMaxProductScratch = 64 << 10;
constexpr int64_t kSlotBytes =
    kMaxProductScratch + kMaxTileRows * kMaxBlockPanels * kPanelWidth * static_cast<int64_t>(sizeof(float));

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t RoundUpDepth(int64_t in) { return CeilDivide(in, kBF16BlockDepth) * kBF16BlockDepth; }

#if defined(__x86_64__)

#define PERCEPT_AVX512_TARGET __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))

PERCEPT_AVX512_TARGET void CopyClamped(const float* x, int64_t cols, float low, float high, float* y) {
  const __m512 lowest = avx512::Set(low);
  const __m512 highest = avx512::Set(high);
  int64_t i = 0;
  for (; i + avx512::kLanes <= cols; i += avx512::kLanes) {
    avx512::Store(y + i, avx512::Min(highest, avx512::Max(lowest, avx512::Load(x + i))));
  }
  if (i < cols) {
    const __m512 value = avx512::Min(highest, avx512::Max(lowest, avx512::LoadFirst(x + i, cols - i)));
    avx512::StoreFirst(y + i, value, cols - i);
  }
}

#else

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
    const auto make = [&](int64_t panels) {
      std::optional<BF16Product> product = BF16Product::Make(blocking_.tile_rows, blocking_.depth, panels * kPanelWidth,
                                                             std::min<int64_t>(kMaxSlots, NumWorkers()));
      return product.has_value() && product->scratch_bytes() <= kMaxProductScratch ? std::move(product) : std::nullopt;
    };
    product_ = make(blocking_.block_panels);
    native_ = product_.has_value();
    const int64_t last_panels = NumPanels(out_features) - (blocking_.num_blocks - 1) * blocking_.block_panels;
    if (native_ && last_panels < blocking_.block_panels) {
      last_product_ = make(last_panels);
      native_ = last_product_.has_value();
    }
  });
  return native_;
}

// One call of Run.
struct LinearBF16::Call {
  const LinearArgs& args;
  float input_min;
  float input_max;
  const uint16_t* rounded;  // [rows but at least tile_rows, depth], null where args.x is to be rounded
  int64_t tiles;
  uint16_t* narrow;  // [tiles * tile_rows, depth], null where rounded is not
};

void LinearBF16::NarrowTile(const Call& call, int64_t tile, uint16_t* narrow) const {
  const ConstMatrixView x = call.args.x;
  for (int64_t i = 0; i < blocking_.tile_rows; ++i) {
    const int64_t row = tile * blocking_.tile_rows + i;
    if (row < x.rows) {
      NarrowRow(x.row(row), x.cols, call.input_min, call.input_max, blocking_.depth, narrow + i * blocking_.depth);
    } else {
      std::fill_n(narrow + i * blocking_.depth, blocking_.depth, uint16_t{0});
    }
  }
}

// Tiles [first_tile, end_tile) times one block of weights.
void LinearBF16::RunItem(const Call& call, int64_t block, int64_t first_tile, int64_t end_tile, int64_t slot,
                         std::byte* slice) const {
  const LinearArgs& args = call.args;
  const int64_t tile_rows = blocking_.tile_rows;
  const int64_t tile_elements = tile_rows * blocking_.depth;
  const int64_t first_col = block * blocking_.block_panels * kPanelWidth;
  const bool last = block + 1 == blocking_.num_blocks && last_product_.has_value();
  const BF16Product& product = last ? *last_product_ : *product_;
  const int64_t cols = std::min(product.cols(), args.out - first_col);
  const std::byte* weight = args.weight + block * blocking_.block_panels * PanelBytes(DType::kBF16, args.in);
  const bool clamps = std::isfinite(args.output_min) || std::isfinite(args.output_max);
  float* tile_out = reinterpret_cast<float*>(slice + kMaxProductScratch);  // [tile_rows, product.cols()]
  BF16Product::Runner runner(product, slice);
  for (int64_t tile = first_tile; tile < end_tile; ++tile) {
    const int64_t first_row = tile * tile_rows;
    const MatrixView y = args.y.Rows(first_row, std::min(tile_rows, args.y.rows - first_row));
    const bool in_place = y.rows == tile_rows && y.stride == product.cols() && y.cols == product.cols();
    float* out = in_place ? y.data : tile_out;
    int64_t skipped = 0;  // rows of the tile that the tile before it has as well
    if (call.rounded != nullptr) {
      skipped = std::min(first_row, std::max<int64_t>(0, first_row + tile_rows - args.y.rows));
      runner.Run(call.rounded + (first_row - skipped) * blocking_.depth, weight, out);
    } else {
      // A single block's tile is narrowed just before its use, and its buffer stays in the cache.
      uint16_t* narrow = call.narrow + (blocking_.num_blocks == 1 ? slot : tile) * tile_elements;
      if (blocking_.num_blocks == 1) {
        NarrowTile(call, tile, narrow);
      }
      runner.Run(narrow, weight, out);
    }
    for (int64_t row = 0; (!in_place || clamps) && row < y.rows; ++row) {
      CopyClamped(out + (skipped + row) * product.cols(), cols, args.output_min, args.output_max,
                  y.row(row) + first_col);
    }
  }
}

bool LinearBF16::Run(const LinearArgs& args, float input_min, float input_max, Arena& scratch) {
  if (!Prepare(args.out)) {
    return false;
  }
  const int64_t tiles = CeilDivide(args.y.rows, blocking_.tile_rows);
  const int64_t tile_elements = blocking_.tile_rows * blocking_.depth;
  const Call call{args, input_min, input_max, nullptr, tiles, scratch.Allocate<uint16_t>(tiles * tile_elements)};
  if (blocking_.num_blocks > 1) {
    ParallelFor(tiles, 1, [&](int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile < end; ++tile) {
        NarrowTile(call, tile, call.narrow + tile * tile_elements);
      }
    });
  }
  RunTiles(call, scratch);
  return true;
}

void LinearBF16::RunRounded(const LinearArgs& args, const uint16_t* x, Arena& scratch) {
  const int64_t tile_rows = blocking_.tile_rows;
  if (args.y.rows < tile_rows) {
    uint16_t* padded = scratch.Allocate<uint16_t>(tile_rows * blocking_.depth);
    std::fill(std::copy_n(x, args.y.rows * blocking_.depth, padded), padded + tile_rows * blocking_.depth, uint16_t{0});
    x = padded;
  }
  RunTiles({args, 0.0f, 0.0f, x, CeilDivide(args.y.rows, tile_rows), nullptr}, scratch);
}

void LinearBF16::RunTiles(const Call& call, Arena& scratch) const {
  // An item is one block of weights times a run of tiles: long enough to reuse the block, short enough to balance.
  constexpr int64_t kMaxItemTiles = 16;
  const int64_t tiles = call.tiles;
  const int64_t item_tiles = std::clamp<int64_t>(tiles * blocking_.num_blocks / (4 * NumWorkers()), 1, kMaxItemTiles);
  const int64_t row_items = CeilDivide(tiles, item_tiles);
  const int64_t slots = std::min<int64_t>({kMaxSlots, NumWorkers(), blocking_.num_blocks * row_items});
  std::byte* slices = scratch.Allocate<std::byte>(slots * kSlotBytes);
  ParallelForSlots(blocking_.num_blocks * row_items, slots, [&](int64_t slot, int64_t item) {
    const int64_t first_tile = item % row_items * item_tiles;
    RunItem(call, item / row_items, first_tile, std::min(tiles, first_tile + item_tiles), slot,
            slices + slot * kSlotBytes);
  });
}

size_t LinearBF16ScratchBytes(int64_t rows, int64_t max_in_features) {
  const int64_t padded_rows = CeilDivide(rows, kMaxTileRows) * kMaxTileRows;
  return static_cast<size_t>(padded_rows * RoundUpDepth(max_in_features) * 2 + kMaxSlots * kSlotBytes);
}

}  // namespace percept::ops
