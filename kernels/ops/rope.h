// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept::ops {

// f_i for i in [0, head_dim / 2), float32 (spec text-decoder 2). `rotated_fraction` 1 is the default form; below 1 the
// proportional one: the first int(fraction * head_dim / 2) frequencies are theta^(-2i/head_dim), the rest 0.
std::vector<float> RopeFrequencies(int64_t head_dim, double theta, double rotated_fraction = 1.0);

// cos and sin of position * frequency, all float32. angles of row r: cos[r, i], sin[r, i], i < frequencies.size().
void RopeAngles(std::span<const int64_t> positions, std::span<const float> frequencies, MatrixView cos, MatrixView sin);

// Rotates every head of x [rows, heads * head_dim] in place. A head is `sections` equal parts; inside a part of width m
// lane i pairs with lane i + m/2 (sections 1: text; 2: axial, x then y). cos, sin: [rows, head_dim / 2], section after
// section.
void Rope(const KernelContext& context, MatrixView x, int64_t heads, int64_t head_dim, int64_t sections,
          ConstMatrixView cos, ConstMatrixView sin);

}  // namespace percept::ops
