// SPDX-License-Identifier: Apache-2.0
#include "kernels/ops/linear.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/core/check.h"
#include "kernels/core/error.h"
#include "kernels/cpu/threads.h"
#include "kernels/ops/linear_bf16.h"
#include "kernels/ops/linear_cpu.h"

namespace percept::ops {
namespace {

// From this many rows on a bf16 tile, mostly padding, is faster than f32 products.
constexpr int64_t kMinBF16Rows = 7;

void RequireMatrix(const ConstTensor& weight) {
  if (weight.shape.rank() != 2 || weight.shape.elements() == 0) {
    throw ArgumentError("a linear weight has the shape [out, in], not " + weight.shape.ToString());
  }
  if (weight.dtype != DType::kBF16 && weight.dtype != DType::kF32) {
    throw ArgumentError("a linear weight is F32 or BF16, not " + std::string(Traits(weight.dtype).name));
  }
}

void RequireBounds(const ClipBounds& clip) {
  // Written so that NaN fails.
  if (!(clip.input_min <= clip.input_max) || !(clip.output_min <= clip.output_max)) {
    throw ArgumentError("clip bounds are out of order: input [" + std::to_string(clip.input_min) + ", " +
                        std::to_string(clip.input_max) + "], output [" + std::to_string(clip.output_min) + ", " +
                        std::to_string(clip.output_max) + "]");
  }
}

bool ClipsInput(const ClipBounds& clip) { return std::isfinite(clip.input_min) || std::isfinite(clip.input_max); }

}  // namespace

LinearWeight::LinearWeight() = default;
LinearWeight::~LinearWeight() = default;
LinearWeight::LinearWeight(LinearWeight&& other) noexcept = default;
LinearWeight& LinearWeight::operator=(LinearWeight&& other) noexcept = default;

LinearWeight LinearWeight::Packed(const KernelContext& context, const ConstTensor& weight, const ClipBounds& clip) {
  RequireMatrix(weight);
  RequireBounds(clip);
  LinearWeight result;
  result.out_ = weight.shape[0];
  result.in_ = weight.shape[1];
  result.dtype_ = weight.dtype;
  result.packed_ = true;
  result.clip_ = clip;
  const int64_t panel_bytes = PanelBytes(weight.dtype, result.in_);
  const int64_t panels = NumPanels(result.out_);
  result.buffer_ = Buffer(static_cast<size_t>(panels * panel_bytes));
  result.bytes_ = result.buffer_.get();
  ParallelFor(panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      PackPanel(context.isa, weight, i, result.buffer_.get() + i * panel_bytes);
    }
  });
  if (context.native_bf16() && weight.dtype == DType::kBF16) {
    result.bf16_products_ = std::make_unique<LinearBF16>(result.in_, result.out_);
  }
  return result;
}

LinearWeight LinearWeight::Mapped(const ConstTensor& weight) {
  RequireMatrix(weight);
  LinearWeight result;
  result.out_ = weight.shape[0];
  result.in_ = weight.shape[1];
  result.dtype_ = weight.dtype;
  result.bytes_ = static_cast<const std::byte*>(weight.bytes);
  return result;
}

void Linear(const KernelContext& context, const LinearWeight& weight, ConstMatrixView x, MatrixView y, Arena& scratch) {
  PERCEPT_CHECK(x.cols == weight.in_features() && y.cols == weight.out_features() && x.rows == y.rows);
  if (x.rows == 0) {
    return;
  }
  const Arena::Scope scope(scratch);
  const ClipBounds& clip = weight.clip();
  LinearArgs args{weight.bytes(),
                  weight.dtype(),
                  weight.in_features(),
                  weight.out_features(),
                  clip.output_min,
                  clip.output_max,
                  x,
                  y};
  if (context.mode == Mode::kFast && context.native_bf16() && weight.bf16_products() != nullptr &&
      x.rows >= kMinBF16Rows && weight.bf16_products()->Run(args, clip.input_min, clip.input_max, scratch)) {
    return;
  }
  if (ClipsInput(clip)) {
    const MatrixView clamped = scratch.AllocateMatrix(x.rows, x.cols);
    ClampRows(context, x, clip.input_min, clip.input_max, clamped);
    args.x = clamped;
  }
  if (weight.packed()) {
    LinearPackedF32(context, args);
  } else {
    LinearMappedF32(context, args);
  }
}

size_t LinearScratchBytes(int64_t rows, int64_t max_in_features, int64_t max_out_features) {
  static_cast<void>(max_out_features);
  return std::max(Arena::MatrixBytes(rows, max_in_features), LinearBF16ScratchBytes(rows, max_in_features));
}

}  // namespace percept::ops
