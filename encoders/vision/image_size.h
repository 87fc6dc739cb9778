// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "encoders/vision/image.h"

namespace percept {

inline constexpr int kPatchSide_px = 16;
inline constexpr int kPoolSide_patches = 3;                             // soft tokens are 3x3 patches
inline constexpr int kCellSide_px = kPatchSide_px * kPoolSide_patches;  // 48
inline constexpr std::array<int, 5> kImageBudgets = {70, 140, 280, 560, 1120};

// Throws ArgumentError naming the valid budgets.
void CheckImageBudget(int budget);

// The size a picture is stretched to so that it fills `budget` soft tokens and no more: both sides are multiples of
// 48 px, the aspect ratio is kept but for that rounding, small pictures are enlarged (spec vision 2.2).
// Throws ArgumentError on an unknown budget, InputError as CheckImageSize does.
ImageSize TargetSize(ImageSize source, int budget);

// Patches of a picture in raster order.
struct PatchGrid {
  int64_t columns = 0;
  int64_t rows = 0;

  int64_t num_patches() const { return columns * rows; }
  int64_t num_soft_tokens() const { return num_patches() / (kPoolSide_patches * kPoolSide_patches); }
  bool operator==(const PatchGrid&) const = default;
};

// Throws ArgumentError where a side is not a positive multiple of 48 px.
PatchGrid GridOf(ImageSize target);

}  // namespace percept
