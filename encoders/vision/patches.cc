// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/patches.h"

#include "encoders/vision/resample.h"
#include "kernels/cpu/threads.h"

namespace percept {
namespace {

constexpr int64_t kPatchRowBytes = kPatchSide_px * 3;
constexpr int64_t kGrainPatches = 128;

void ConvertRow(const uint8_t* levels, PixelValues values, float* out) {
  if (values == PixelValues::kDivided) {
    for (int64_t i = 0; i < kPatchRowBytes; ++i) out[i] = static_cast<float>(levels[i]) / 255.0f;
  } else {
    constexpr float kReciprocal = 1.0f / 255.0f;
    for (int64_t i = 0; i < kPatchRowBytes; ++i) out[i] = static_cast<float>(levels[i]) * kReciprocal;
  }
}

}  // namespace

ImagePatches CutPatches(const RgbView& image, PixelValues values) {
  CheckImage(image);
  ImagePatches patches;
  patches.grid = GridOf(image.size());
  const int64_t columns = patches.grid.columns;
  patches.values = Matrix(patches.grid.num_patches(), kPatchValues);
  patches.positions.resize(static_cast<size_t>(patches.grid.num_patches()));
  const MatrixView out = patches.values.view();
  ParallelFor(patches.grid.num_patches(), kGrainPatches, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t x = t % columns;
      const int64_t y = t / columns;
      patches.positions[static_cast<size_t>(t)] = {static_cast<int32_t>(x), static_cast<int32_t>(y)};
      for (int64_t row = 0; row < kPatchSide_px; ++row) {
        const uint8_t* levels = image.row(y * kPatchSide_px + row) + x * kPatchRowBytes;
        ConvertRow(levels, values, out.row(t) + row * kPatchRowBytes);
      }
    }
  });
  return patches;
}

ImagePatches PreprocessImage(const RgbView& image, int budget, const PreprocessOptions& options,
                             const KernelContext& context) {
  CheckImageBudget(budget);
  CheckImage(image);
  const ImageSize target = TargetSize(image.size(), budget);
  if (target == image.size()) return CutPatches(image, options.values);
  return CutPatches(Resample(image, target, options.weights, context).view(), options.values);
}

}  // namespace percept
