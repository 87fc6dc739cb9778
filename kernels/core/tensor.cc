// SPDX-License-Identifier: Apache-2.0
#include "kernels/core/tensor.h"

#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace percept {

Shape::Shape(std::initializer_list<int64_t> dims) {
  for (const int64_t dim : dims) {
    Append(dim);
  }
}

void Shape::Append(int64_t dim) {
  PERCEPT_CHECK(rank_ < kMaxRank && dim >= 0);
  dims_[static_cast<size_t>(rank_++)] = dim;
}

int64_t Shape::elements() const {
  int64_t count = 1;
  for (int axis = 0; axis < rank_; ++axis) {
    count *= dims_[static_cast<size_t>(axis)];
  }
  return count;
}

bool Shape::operator==(const Shape& other) const {
  return rank_ == other.rank_ && std::equal(dims_.begin(), dims_.begin() + rank_, other.dims_.begin());
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (int axis = 0; axis < rank_; ++axis) {
    text += (axis > 0 ? ", " : "") + std::to_string(dims_[static_cast<size_t>(axis)]);
  }
  return text + "]";
}

Buffer::Buffer(size_t size_bytes, Pages pages) : size_bytes_(size_bytes) {
  if (size_bytes == 0) {
    return;
  }
  constexpr size_t kHugePageBytes = 2 << 20;
  const bool huge = pages == Pages::kHuge && size_bytes >= kHugePageBytes;
  const size_t alignment = huge ? kHugePageBytes : kAlignment;
  bytes_ = {static_cast<std::byte*>(::operator new[](size_bytes, std::align_val_t(alignment))), Free{alignment}};
#if defined(__linux__)
  if (huge) {
    // Whole huge pages only, and a refusal leaves normal ones.
    (void)::madvise(bytes_.get(), size_bytes / kHugePageBytes * kHugePageBytes, MADV_HUGEPAGE);
  }
#endif
}

void Buffer::Free::operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t(alignment)); }

Matrix::Matrix(int64_t rows, int64_t cols) : rows_(rows), cols_(cols), stride_((cols + 15) / 16 * 16) {
  PERCEPT_CHECK(rows >= 0 && cols >= 0);
  buffer_ = Buffer(static_cast<size_t>(rows_) * static_cast<size_t>(stride_) * sizeof(float));
}

}  // namespace percept
