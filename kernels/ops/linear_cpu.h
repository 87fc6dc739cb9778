// SPDX-License-Identifier: Apache-2.0
#pragma once

// The CPU side of Linear: how packed weights lie in memory, and the f32 kernels that read them and mapped rows.

#include <cstdint>

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

// Packed plain weights are panels of 64 output features. A bf16 or f16 panel is [in / 32][16 pairs of k][64][2], so
// that two neighbouring k lie side by side as bf16 dot products want them; an f32 panel is [in][64]. Missing output
// features and missing k of a last block are zero. Quantised weights: kernels/ops/quant_panel.h.
inline constexpr int64_t kPanelWidth = 64;
inline constexpr int64_t kBF16BlockDepth = 32;

// Bits of an f16.
struct Half {
  uint16_t bits;
};

inline int64_t NumPanels(int64_t out_features) { return (out_features + kPanelWidth - 1) / kPanelWidth; }
int64_t PanelBytes(DType dtype, int64_t in_features);

// Writes panel `panel_idx` of the row-major [out, in] weight.
void PackPanel(Isa isa, const ConstTensor& weight, int64_t panel_idx, std::byte* panel);

// One linear layer's weights, bytes as LinearWeight describes them, and the bounds of its outputs.
struct LinearArgs {
  const std::byte* weight = nullptr;
  DType dtype = DType::kBF16;
  int64_t in = 0;
  int64_t out = 0;
  float output_min = 0.0f;
  float output_max = 0.0f;
  ConstMatrixView x;             // [rows, in], already clamped
  MatrixView y;                  // [rows, out]
  const void* scales = nullptr;  // of rows of kInt4 codes
};

// y = clamp(W x) by f32 products; each output is one chain of multiply-adds over ascending k.
void LinearPackedF32(const KernelContext& context, const LinearArgs& args);
// The same over row-major weights: one chain per vector lane, the lanes added up at the end.
void LinearMappedF32(const KernelContext& context, const LinearArgs& args);

// y = clamp(x, low, high); x and y may be the same.
void ClampRows(const KernelContext& context, ConstMatrixView x, float low, float high, MatrixView y);

}  // namespace percept::ops
