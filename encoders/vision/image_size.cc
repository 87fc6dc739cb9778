// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/image_size.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/core/error.h"

namespace percept {
namespace {

// The longest side a strip may get: one cell high, the whole budget wide.
int64_t StripLength(int64_t long_side, int64_t short_side, int budget) {
  return std::min<int64_t>(long_side / short_side, budget) * kCellSide_px;
}

}  // namespace

void CheckImageBudget(int budget) {
  if (std::find(kImageBudgets.begin(), kImageBudgets.end(), budget) != kImageBudgets.end()) return;
  std::string valid;
  for (size_t i = 0; i < kImageBudgets.size(); ++i) {
    if (i > 0) valid += i + 1 == kImageBudgets.size() ? " or " : ", ";
    valid += std::to_string(kImageBudgets[i]);
  }
  throw ArgumentError("unknown image budget " + std::to_string(budget) + ": expected " + valid + " soft tokens");
}

ImageSize TargetSize(ImageSize source, int budget) {
  CheckImageBudget(budget);
  CheckImageSize(source);
  const double width = static_cast<double>(source.width);
  const double height = static_cast<double>(source.height);
  const double pixel_budget = static_cast<double>(kCellSide_px) * kCellSide_px * budget;
  // The order of operations is part of the definition: another one floors differently.
  const double scale = std::sqrt(pixel_budget / (height * width));
  ImageSize target;
  target.height = static_cast<int64_t>(std::floor(scale * height / kCellSide_px)) * kCellSide_px;
  target.width = static_cast<int64_t>(std::floor(scale * width / kCellSide_px)) * kCellSide_px;
  if (target.height == 0) {
    target = {StripLength(source.width, source.height, budget), kCellSide_px};
  } else if (target.width == 0) {
    target = {kCellSide_px, StripLength(source.height, source.width, budget)};
  }
  return target;
}

PatchGrid GridOf(ImageSize target) {
  if (target.width < 1 || target.height < 1 || target.width % kCellSide_px != 0 || target.height % kCellSide_px != 0) {
    throw ArgumentError("a picture of " + std::to_string(target.width) + "x" + std::to_string(target.height) +
                        " pixels cannot be cut into cells of " + std::to_string(kCellSide_px) + " pixels");
  }
  return {target.width / kPatchSide_px, target.height / kPatchSide_px};
}

}  // namespace percept
