// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/image.h"

#include <limits>
#include <string>

#include "kernels/core/error.h"

namespace percept {
namespace {

constexpr int64_t kMaxSide_px = std::numeric_limits<int32_t>::max();

std::string Describe(ImageSize size) {
  return "a picture of " + std::to_string(size.width) + "x" + std::to_string(size.height) + " pixels";
}

}  // namespace

void CheckImageSize(ImageSize size) {
  if (size.width < 1 || size.height < 1 || size.width > kMaxSide_px || size.height > kMaxSide_px) {
    throw InputError(Describe(size) + " cannot be used: each side must be 1 to " + std::to_string(kMaxSide_px));
  }
}

void CheckImage(const RgbView& image) {
  CheckImageSize(image.size());
  if (image.pixels == nullptr) {
    throw InputError(Describe(image.size()) + " has no memory for them");
  }
  if (image.stride_bytes < 3 * image.width) {
    throw InputError(Describe(image.size()) + " needs " + std::to_string(3 * image.width) +
                     " bytes from row to row, not " + std::to_string(image.stride_bytes));
  }
}

}  // namespace percept
