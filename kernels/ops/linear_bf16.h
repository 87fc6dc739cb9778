// SPDX-License-Identifier: Apache-2.0
#pragma once

// The bf16 products of a packed bf16 weight: rows are rounded to bf16 and multiplied in tiles of a fixed size against
// blocks of output features that stay in the second-level cache.

#include <cstdint>
#include <mutex>
#include <optional>

#include "kernels/core/arena.h"
#include "kernels/cpu/bf16_product.h"
#include "kernels/ops/linear_cpu.h"

namespace percept::ops {

// How a weight of [out, in] is cut.
struct BF16Blocking {
  int64_t tile_rows;     // rows of x in one product
  int64_t depth;         // in, rounded up to whole bf16 blocks
  int64_t block_panels;  // panels of 64 output features in one product; the last block may have fewer
  int64_t num_blocks;
};
BF16Blocking BlockingOf(int64_t in_features, int64_t out_features);

// The products of one weight, made at first use. Thread-safe.
class LinearBF16 {
 public:
  LinearBF16(int64_t in_features, int64_t out_features) : blocking_(BlockingOf(in_features, out_features)) {}

  // y = clamp(W clamp(x, input_min, input_max)); args.x is x as it came. False, and nothing done, where this CPU has
  // no native product.
  bool Run(const LinearArgs& args, float input_min, float input_max, Arena& scratch);

  // Whether RunRounded may be called: a native product, and no padding between rows.
  bool ReadsRounded(int64_t in_features, int64_t out_features) {
    return in_features == blocking_.depth && Prepare(out_features);
  }
  // y = clamp(W x), x [y.rows, in] bf16 as it is, dense and 64-byte aligned; args.x is not read.
  void RunRounded(const LinearArgs& args, const uint16_t* x, Arena& scratch);

 private:
  struct Call;

  bool Prepare(int64_t out_features);
  void NarrowTile(const Call& call, int64_t tile, uint16_t* narrow) const;
  void RunTiles(const Call& call, Arena& scratch) const;
  void RunItem(const Call& call, int64_t block, int64_t first_tile, int64_t end_tile, int64_t slot,
               std::byte* slice) const;

  BF16Blocking blocking_;
  std::once_flag once_;
  bool native_ = false;
  std::optional<BF16Product> product_;
  std::optional<BF16Product> last_product_;  // of the last block where it is narrower
};

size_t LinearBF16ScratchBytes(int64_t rows, int64_t max_in_features);

}  // namespace percept::ops
