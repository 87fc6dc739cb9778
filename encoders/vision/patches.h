// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "encoders/vision/axis_weights.h"
#include "encoders/vision/image.h"
#include "encoders/vision/image_size.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept {

inline constexpr int64_t kPatchValues = kPatchSide_px * kPatchSide_px * 3;  // 768

// How a level 0..255 becomes a value 0..1. The reference's back-ends differ in the last bit (spec vision 2.4).
enum class PixelValues : uint8_t {
  kTimesReciprocal,  // fl32(u * fl32(1/255)): torchvision, pictures
  kDivided,          // fl32(u / 255): Pillow, and video frames on every back-end
};

struct PatchPosition {
  int32_t x = 0;  // column
  int32_t y = 0;  // row

  bool operator==(const PatchPosition&) const = default;
};

// A picture ready for the tower. Nothing is padded.
struct ImagePatches {
  PatchGrid grid;
  Matrix values;                         // [patches, 768], 0..1, element (row * 16 + column) * 3 + channel
  std::vector<PatchPosition> positions;  // [patches], raster order
};

// Cuts a picture that has its target size into patches. Throws ArgumentError where a side is not a multiple of 48 px.
ImagePatches CutPatches(const RgbView& image, PixelValues values);

struct PreprocessOptions {
  ResampleWeights weights = ResampleWeights::kPillow;
  PixelValues values = PixelValues::kDivided;
};

// A decoded picture of any size to the patches of at most `budget` soft tokens (spec vision 2.2 to 2.5).
// Throws ArgumentError on an unknown budget, InputError on a picture that cannot be used.
ImagePatches PreprocessImage(const RgbView& image, int budget, const PreprocessOptions& options,
                             const KernelContext& context);

}  // namespace percept
