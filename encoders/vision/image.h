// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/core/tensor.h"

namespace percept {

// Sides in pixels.
struct ImageSize {
  int64_t width = 0;
  int64_t height = 0;

  bool operator==(const ImageSize&) const = default;
};

// 8-bit R, G, B interleaved; rows start stride_bytes apart. Does not own its bytes.
struct RgbView {
  const uint8_t* pixels = nullptr;  // [height, stride_bytes]
  int64_t width = 0;
  int64_t height = 0;
  int64_t stride_bytes = 0;

  ImageSize size() const { return {width, height}; }
  const uint8_t* row(int64_t y) const { return pixels + y * stride_bytes; }
};

// An owned picture, rows without padding. Uninitialised.
class RgbImage {
 public:
  RgbImage() = default;
  explicit RgbImage(ImageSize size)
      : bytes_(static_cast<size_t>(size.width) * static_cast<size_t>(size.height) * 3), size_(size) {}

  ImageSize size() const { return size_; }
  size_t size_bytes() const { return bytes_.size_bytes(); }
  uint8_t* row(int64_t y) { return reinterpret_cast<uint8_t*>(bytes_.get()) + y * size_.width * 3; }
  RgbView view() const {
    return {reinterpret_cast<const uint8_t*>(bytes_.get()), size_.width, size_.height, size_.width * 3};
  }

 private:
  Buffer bytes_;
  ImageSize size_;
};

// Throws InputError where a side is below 1 or above 2^31 - 1.
void CheckImageSize(ImageSize size);

// As CheckImageSize; throws InputError where there are no pixels and where rows would overlap.
void CheckImage(const RgbView& image);

}  // namespace percept
