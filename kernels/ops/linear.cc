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
#include "kernels/ops/linear_quant.h"
#include "kernels/ops/quant_panel.h"

namespace percept::ops {
namespace {

// From this many rows on a bf16 tile, mostly padding, is faster than f32 products.
int64_t MinBF16Rows(Isa isa) { return isa >= Isa::kAmxBf16 ? 7 : 17; }

void RequireMatrix(const ConstTensor& weight) {
  if (weight.shape.rank() != 2 || weight.shape.elements() == 0) {
    throw ArgumentError("a linear weight has the shape [out, in], not " + weight.shape.ToString());
  }
  const DTypeTraits& traits = Traits(weight.dtype);
  if (!IsReal(weight.dtype)) {
    throw ArgumentError("a linear weight holds reals, not " + std::string(traits.name));
  }
  if (weight.width() % traits.block_elements != 0) {
    throw ArgumentError("a linear weight of type " + std::string(traits.name) + " has rows of whole blocks of " +
                        std::to_string(traits.block_elements) + " values, not of " + std::to_string(weight.width()));
  }
  if ((weight.dtype == DType::kInt4) != (weight.scales != nullptr)) {
    throw ArgumentError("a linear weight has scales beside its values if and only if it is INT4; this one is " +
                        std::string(traits.name));
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

LinearArgs ArgsOf(const LinearWeight& weight, ConstMatrixView x, MatrixView y) {
  return {weight.bytes(),
          weight.dtype(),
          weight.in_features(),
          weight.out_features(),
          weight.clip().output_min,
          weight.clip().output_max,
          x,
          y,
          weight.scales()};
}

// Calls pack(panel_idx, bytes) for every panel of a buffer of that many, which it returns.
template <typename Pack>
Buffer PackPanels(int64_t panels, int64_t panel_bytes, Pack&& pack) {
  Buffer buffer(static_cast<size_t>(panels * panel_bytes), Buffer::Pages::kHuge);
  ParallelFor(panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      pack(i, buffer.get() + i * panel_bytes);
    }
  });
  return buffer;
}

Buffer PackQuantized(Isa isa, const ConstTensor& weight) {
  const int64_t panels = (weight.rows() + kQuantPanelWidth - 1) / kQuantPanelWidth;
  const int64_t units = (weight.width() + kUnitDepth - 1) / kUnitDepth;
  return PackPanels(panels, QuantPanelBytes(weight.dtype, weight.width()),
                    [&](int64_t i, std::byte* panel) { PackQuantPanel(isa, weight, i, 0, units, panel); });
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
  if (IsQuantized(weight.dtype)) {
    result.buffer_ = PackQuantized(context.isa, weight);
  } else {
    result.buffer_ = PackPanels(NumPanels(result.out_), PanelBytes(weight.dtype, result.in_),
                                [&](int64_t i, std::byte* panel) { PackPanel(context.isa, weight, i, panel); });
  }
  result.bytes_ = result.buffer_.get();
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
  result.scales_ = weight.scales;
  return result;
}

void Linear(const KernelContext& context, const LinearWeight& weight, ConstMatrixView x, MatrixView y, Arena& scratch) {
  PERCEPT_CHECK(x.cols == weight.in_features() && y.cols == weight.out_features() && x.rows == y.rows);
  if (x.rows == 0) {
    return;
  }
  const Arena::Scope scope(scratch);
  const ClipBounds& clip = weight.clip();
  LinearArgs args = ArgsOf(weight, x, y);
  if (context.mode == Mode::kFast && context.native_bf16() && weight.bf16_products() != nullptr &&
      x.rows >= MinBF16Rows(context.isa) &&
      weight.bf16_products()->Run(args, clip.input_min, clip.input_max, scratch)) {
    return;
  }
  const bool quantized = IsQuantized(weight.dtype());
  if (ClipsInput(clip) && !(quantized && context.mode == Mode::kFast)) {
    const MatrixView clamped = scratch.AllocateMatrix(x.rows, x.cols);
    ClampRows(context, x, clip.input_min, clip.input_max, clamped);
    args.x = clamped;
  }
  if (quantized) {
    LinearQuant(context, args, weight.packed(), clip.input_min, clip.input_max, scratch);
  } else if (weight.packed()) {
    LinearPackedF32(context, args);
  } else {
    LinearMappedF32(context, args);
  }
}

bool ReadsBF16(const KernelContext& context, const LinearWeight& weight) {
  return context.mode == Mode::kFast && context.native_bf16() && weight.bf16_products() != nullptr &&
         weight.bf16_products()->ReadsRounded(weight.in_features(), weight.out_features());
}

void Linear(const KernelContext& context, const LinearWeight& weight, const BF16Rows& x, MatrixView y, Arena& scratch) {
  PERCEPT_CHECK(x.cols == weight.in_features() && y.cols == weight.out_features() && x.rows == y.rows);
  PERCEPT_CHECK(x.low == weight.clip().input_min && x.high == weight.clip().input_max);
  PERCEPT_CHECK(ReadsBF16(context, weight));
  if (x.rows == 0) {
    return;
  }
  const Arena::Scope scope(scratch);
  weight.bf16_products()->RunRounded(ArgsOf(weight, {}, y), x.data, scratch);
}

size_t LinearScratchBytes(int64_t rows, int64_t max_in_features, int64_t max_out_features) {
  static_cast<void>(max_out_features);
  return std::max({Arena::MatrixBytes(rows, max_in_features), LinearBF16ScratchBytes(rows, max_in_features),
                   LinearQuantScratchBytes(rows, max_in_features)});
}

}  // namespace percept::ops
