// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/gguf_form.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/core/check.h"

namespace percept {
namespace {

constexpr int64_t kChannels = 3;
constexpr int64_t kAxes = 2;

// `count` matrices of `rows` x `columns` elements, each of them transposed.
Buffer Transposed(const ConstTensor& tensor, int64_t count, int64_t rows, int64_t columns, size_t element_bytes) {
  Buffer copy(static_cast<size_t>(tensor.size_bytes()));
  const auto* matrix = static_cast<const std::byte*>(tensor.bytes);
  std::byte* out = copy.get();
  const auto matrix_bytes = static_cast<size_t>(rows * columns) * element_bytes;
  for (int64_t i = 0; i < count; ++i, matrix += matrix_bytes) {
    for (int64_t column = 0; column < columns; ++column) {
      for (int64_t row = 0; row < rows; ++row, out += element_bytes) {
        std::memcpy(out, matrix + static_cast<size_t>(row * columns + column) * element_bytes, element_bytes);
      }
    }
  }
  return copy;
}

// x of softplus(x) = log(1 + e^x).
Buffer WithoutSoftplus(const ConstTensor& tensor) {
  PERCEPT_CHECK(tensor.dtype == DType::kF32);
  Buffer copy(static_cast<size_t>(tensor.size_bytes()));
  for (int64_t i = 0; i < tensor.shape.elements(); ++i) {
    const auto value = static_cast<float>(std::log(std::expm1(double{tensor.f32()[i]})));
    std::memcpy(copy.get() + static_cast<size_t>(i) * sizeof(float), &value, sizeof(float));
  }
  return copy;
}

// Elements of the rows whose values have channels.
int64_t RowElements(const Shape& shape) {
  return shape.rank() == 4 ? shape[1] * shape[2] * shape[3] : shape[shape.rank() - 1];
}

std::optional<Shape> ChannelsLastShape(const Shape& shape) {
  if (shape.rank() == 4) {
    return shape[1] == kChannels ? std::optional(Shape({shape[0], RowElements(shape)})) : std::nullopt;
  }
  const bool has_channels = (shape.rank() == 1 || shape.rank() == 2) && RowElements(shape) % kChannels == 0;
  return has_channels ? std::optional(shape) : std::nullopt;
}

}  // namespace

std::optional<Shape> ShapeInForm(GgufForm form, const Shape& shape) {
  switch (form) {
    case GgufForm::kScalar:
      return shape == Shape({1}) ? std::optional(Shape()) : std::nullopt;
    case GgufForm::kChannelsLast:
      return ChannelsLastShape(shape);
    case GgufForm::kAxisLast:
      if (shape.rank() != 3 || shape[0] != kAxes) return std::nullopt;
      return Shape({shape[1], shape[0], shape[2]});
    case GgufForm::kOneInput:
      return shape.rank() == 2 ? std::optional(Shape({shape[0], 1, shape[1]})) : std::nullopt;
    case GgufForm::kSame:
    case GgufForm::kSoftplus:
      break;
  }
  return shape;
}

bool SameOrder(GgufForm form) {
  return form == GgufForm::kSame || form == GgufForm::kScalar || form == GgufForm::kOneInput;
}

Buffer CopyInForm(GgufForm form, const ConstTensor& tensor) {
  const Shape& shape = tensor.shape;
  const auto value_bytes = static_cast<size_t>(Traits(tensor.dtype).block_bytes);
  if (form == GgufForm::kSoftplus) return WithoutSoftplus(tensor);
  if (form == GgufForm::kAxisLast) {
    return Transposed(tensor, 1, shape[0], shape[1], static_cast<size_t>(shape[2]) * value_bytes);
  }
  PERCEPT_CHECK(form == GgufForm::kChannelsLast);
  const int64_t row_elements = RowElements(shape);
  return Transposed(tensor, shape.elements() / row_elements, kChannels, row_elements / kChannels, value_bytes);
}

}  // namespace percept
