// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/core/tensor.h"

namespace percept {

// Scratch memory for one thread of control (an engine step), sized once. Allocation is a pointer bump, 64-byte aligned;
// what a Scope allocated is free again when it ends. Asking for more than the capacity throws InternalError: capacity
// is computed beforehand from the shapes, never grown in the middle of a step.
class Arena {
 public:
  explicit Arena(size_t capacity_bytes) : buffer_(capacity_bytes) {}

  template <typename T>
  T* Allocate(int64_t count) {
    return reinterpret_cast<T*>(AllocateBytes(static_cast<size_t>(count) * sizeof(T)));
  }
  // Rows start on 64-byte boundaries.
  MatrixView AllocateMatrix(int64_t rows, int64_t cols);

  size_t capacity_bytes() const { return buffer_.size_bytes(); }
  size_t high_water_bytes() const { return high_water_; }

  // Bytes that AllocateMatrix(rows, cols) takes, for sizing.
  static size_t MatrixBytes(int64_t rows, int64_t cols);

  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), mark_(arena.used_) {}
    ~Scope() { arena_.used_ = mark_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    size_t mark_;
  };

 private:
  std::byte* AllocateBytes(size_t size_bytes);

  Buffer buffer_;
  size_t used_ = 0;
  size_t high_water_ = 0;
};

}  // namespace percept
