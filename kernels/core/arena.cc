// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/arena.h"

#include <algorithm>
#include <string>

namespace percept {
namespace {

size_t RoundUp(size_t size_bytes) {
  return (size_bytes + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
}

int64_t AlignedStride(int64_t cols) { return (cols + 15) / 16 * 16; }

}  // namespace

MatrixView Arena::AllocateMatrix(int64_t rows, int64_t cols) {
  const int64_t stride = AlignedStride(cols);
  return {Allocate<float>(rows * stride), rows, cols, stride};
}

size_t Arena::MatrixBytes(int64_t rows, int64_t cols) {
  return RoundUp(static_cast<size_t>(rows * AlignedStride(cols)) * sizeof(float));
}

std::byte* Arena::AllocateBytes(size_t size_bytes) {
  const size_t rounded = RoundUp(size_bytes);
  if (rounded > buffer_.size_bytes() - used_) {
    throw InternalError("scratch arena of " + std::to_string(buffer_.size_bytes()) + " bytes is full: " +
                        std::to_string(used_) + " in use, " + std::to_string(rounded) + " more asked for");
  }
  std::byte* bytes = buffer_.get() + used_;
  used_ += rounded;
  high_water_ = std::max(high_water_, used_);
  return bytes;
}

}  // namespace percept
