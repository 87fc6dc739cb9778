// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "kernels/core/check.h"
#include "kernels/core/dtype.h"

namespace percept {

// Up to four dimensions, row-major, last dimension fastest. Rank 0 is a scalar.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dims_[static_cast<size_t>(axis)]; }
  int64_t elements() const;
  void Append(int64_t dim);
  bool operator==(const Shape& other) const;
  std::string ToString() const;  // "[2, 3]"

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

// Where a tensor's bytes live. CUDA joins with its issue.
enum class Device : uint8_t { kCpu };

// A read-only view of a dense row-major tensor. Does not own its bytes.
struct ConstTensor {
  const void* bytes = nullptr;
  DType dtype = DType::kF32;
  Shape shape;
  Device device = Device::kCpu;
  // Of a kInt4 tensor: [rows, width / 32] bf16, the factor of each block. Null for all other types.
  const void* scales = nullptr;

  int64_t rows() const { return shape.elements() / shape[shape.rank() - 1]; }
  int64_t width() const { return shape[shape.rank() - 1]; }
  int64_t size_bytes() const { return BytesOf(dtype, shape.elements()); }
  const float* f32() const {
    PERCEPT_DCHECK(dtype == DType::kF32);
    return static_cast<const float*>(bytes);
  }
};

// 64-byte aligned, uninitialised, owned memory. Throws std::bad_alloc.
class Buffer {
 public:
  static constexpr size_t kAlignment = 64;

  // kHuge asks for huge pages where the system has them: for memory that is read from end to end again and again.
  enum class Pages : uint8_t { kNormal, kHuge };

  Buffer() = default;
  explicit Buffer(size_t size_bytes, Pages pages = Pages::kNormal);

  std::byte* get() const { return bytes_.get(); }
  size_t size_bytes() const { return size_bytes_; }

 private:
  struct Free {
    size_t alignment;
    void operator()(std::byte* bytes) const;
  };
  std::unique_ptr<std::byte[], Free> bytes_;
  size_t size_bytes_ = 0;
};

// A float matrix view with a row stride, the form in which activations travel between ops. Does not own its bytes.
struct MatrixView {
  float* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;  // floats from one row to the next, >= cols

  float* row(int64_t i) const { return data + i * stride; }
  MatrixView Rows(int64_t first, int64_t count) const { return {row(first), count, cols, stride}; }
};

struct ConstMatrixView {
  const float* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  ConstMatrixView() = default;
  ConstMatrixView(const float* values, int64_t num_rows, int64_t num_cols, int64_t row_stride)
      : data(values), rows(num_rows), cols(num_cols), stride(row_stride) {}
  ConstMatrixView(const MatrixView& m) : data(m.data), rows(m.rows), cols(m.cols), stride(m.stride) {}  // NOLINT

  const float* row(int64_t i) const { return data + i * stride; }
  ConstMatrixView Rows(int64_t first, int64_t count) const { return {row(first), count, cols, stride}; }
};

// An owned float matrix: rows start on 64-byte boundaries. Uninitialised.
class Matrix {
 public:
  Matrix() = default;
  Matrix(int64_t rows, int64_t cols);

  MatrixView view() const { return {reinterpret_cast<float*>(buffer_.get()), rows_, cols_, stride_}; }
  MatrixView Rows(int64_t first, int64_t count) const { return view().Rows(first, count); }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  size_t size_bytes() const { return buffer_.size_bytes(); }

 private:
  Buffer buffer_;
  int64_t rows_ = 0;
  int64_t cols_ = 0;
  int64_t stride_ = 0;
};

}  // namespace percept
