// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/bf16_rows.h"

namespace percept::ops {

class LinearBF16;

// Bounds of a clipped linear (spec: vision 3.2): y = clamp(W * clamp(x, in), out). Infinite bounds clip nothing.
struct ClipBounds {
  float input_min = -std::numeric_limits<float>::infinity();
  float input_max = std::numeric_limits<float>::infinity();
  float output_min = -std::numeric_limits<float>::infinity();
  float output_max = std::numeric_limits<float>::infinity();
};

// The weight of a bias-free linear layer, [out, in], in the dtype of its file: any type of reals. Rows of blocks are a
// whole number of them.
class LinearWeight {
 public:
  LinearWeight();
  ~LinearWeight();
  LinearWeight(LinearWeight&& other) noexcept;
  LinearWeight& operator=(LinearWeight&& other) noexcept;

  // Repacks once into blocks of output rows (same size, padded to whole blocks) for many uses with many rows. The
  // source bytes are not needed afterwards.
  static LinearWeight Packed(const KernelContext& context, const ConstTensor& weight, const ClipBounds& clip = {});
  // Keeps reading the mapped rows: for tables that are also gathered by row (tied output matrix) and few input rows.
  static LinearWeight Mapped(const ConstTensor& weight);

  int64_t out_features() const { return out_; }
  int64_t in_features() const { return in_; }
  DType dtype() const { return dtype_; }
  bool packed() const { return packed_; }
  const std::byte* bytes() const { return bytes_; }
  const void* scales() const { return scales_; }  // of mapped kInt4 codes
  const ClipBounds& clip() const { return clip_; }
  size_t owned_bytes() const { return buffer_.size_bytes(); }
  // The bf16 products of a packed bf16 weight, null where the weight has none.
  LinearBF16* bf16_products() const { return bf16_products_.get(); }

 private:
  Buffer buffer_;                     // packed blocks
  const std::byte* bytes_ = nullptr;  // packed blocks, or the mapped rows
  const void* scales_ = nullptr;
  int64_t out_ = 0;
  int64_t in_ = 0;
  DType dtype_ = DType::kBF16;
  bool packed_ = false;
  ClipBounds clip_;
  std::unique_ptr<LinearBF16> bf16_products_;
};

// y[rows, out] = clamp(W * clamp(x[rows, in])). x and y do not overlap.
// exact: f32 products, k ascending in one fixed order for every row count, so a row's bits do not depend on other rows.
// fast: bf16 weights with many rows use bf16 products with f32 accumulation where they are native; quantised weights
// take activations rounded to 8 bits, 32 of a row with one scale, in integer products with f32 accumulation.
void Linear(const KernelContext& context, const LinearWeight& weight, ConstMatrixView x, MatrixView y, Arena& scratch);

// Whether Linear reads rows for this weight that are clamped and rounded already: in fast mode, where bf16 products are
// native and the input is a multiple of 32 wide. Makes the products at first use.
bool ReadsBF16(const KernelContext& context, const LinearWeight& weight);

// The same over such rows, with the bits that the f32 rows they were rounded from give. x.low and x.high are the
// weight's input bounds; ReadsBF16(context, weight) holds.
void Linear(const KernelContext& context, const LinearWeight& weight, const BF16Rows& x, MatrixView y, Arena& scratch);

// Scratch that Linear needs for at most `rows` rows of any weight with at most these widths.
size_t LinearScratchBytes(int64_t rows, int64_t max_in_features, int64_t max_out_features);

}  // namespace percept::ops
