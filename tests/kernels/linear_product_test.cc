// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>

#include "kernels/core/error.h"
#include "kernels/ops/linear.h"
#include "tests/kernels/linear_cases.h"
#include "tests/support/test_context.h"

namespace percept::ops {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

struct LinearShape {
  int64_t rows, in, out;
};

constexpr LinearShape kShapes[] = {{1, 1, 1},      {1, 256, 384},  {5, 33, 65},    {7, 20, 130}, {17, 96, 3},
                                   {40, 192, 192}, {130, 64, 100}, {70, 1030, 72}, {300, 40, 64}};

std::string ToString(const LinearShape& shape) {
  return std::to_string(shape.rows) + " x " + std::to_string(shape.in) + " x " + std::to_string(shape.out);
}

enum class Storage { kPacked, kMapped };

class LinearProductTest : public testing::TestWithParam<std::tuple<Isa, Mode, DType, Storage>> {};

Matrix Multiply(const KernelContext& context, const LinearWeight& weight, ConstMatrixView x) {
  Arena scratch(LinearScratchBytes(x.rows, weight.in_features(), weight.out_features()));
  Matrix y(x.rows, weight.out_features());
  std::fill_n(y.view().data, y.size_bytes() / sizeof(float), std::numeric_limits<float>::quiet_NaN());
  Linear(context, weight, x, y.view(), scratch);
  return y;
}

// |error| <= tolerance * sum |x w|, the scale of what rounding can do.
void ExpectProduct(const RandomWeight& weight, ConstMatrixView x, const ClipBounds& clip, double tolerance,
                   ConstMatrixView y) {
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t n = 0; n < y.cols; ++n) {
      double sum = 0;
      double magnitude = 0;
      for (int64_t k = 0; k < x.cols; ++k) {
        const double xk = std::clamp<double>(x.row(r)[k], clip.input_min, clip.input_max);
        const double product = xk * weight.values[static_cast<size_t>(n * x.cols + k)];
        sum += product;
        magnitude += std::abs(product);
      }
      const double expected = std::clamp<double>(sum, clip.output_min, clip.output_max);
      ASSERT_NEAR(y.row(r)[n], expected, tolerance * magnitude + 1e-12) << "row " << r << ", output " << n;
    }
  }
}

double Tolerance(const KernelContext& context, DType dtype) {
  const bool rounds_input = context.mode == Mode::kFast && context.native_bf16() && dtype == DType::kBF16;
  return rounds_input ? 1.0 / 256 : 1e-6;
}

TEST_P(LinearProductTest, EqualsTheDoubleReference) {
  const auto& [isa, mode, dtype, storage] = GetParam();
  const KernelContext context = MakeKernelContext(mode, isa);
  for (const LinearShape& shape : kShapes) {
    SCOPED_TRACE(ToString(shape));
    const RandomWeight weight(dtype, shape.out, shape.in, 1);
    const Matrix x = RandomMatrix(shape.rows, shape.in, 2);
    const LinearWeight linear = storage == Storage::kPacked ? LinearWeight::Packed(context, weight.tensor)
                                                            : LinearWeight::Mapped(weight.tensor);
    const Matrix y = Multiply(context, linear, x.view());
    ExpectProduct(weight, x.view(), {}, Tolerance(context, dtype), y.view());
  }
}

TEST_P(LinearProductTest, ClampsInputAndOutput) {
  const auto& [isa, mode, dtype, storage] = GetParam();
  if (storage == Storage::kMapped) {
    return;  // a mapped weight has no bounds
  }
  const KernelContext context = MakeKernelContext(mode, isa);
  const ClipBounds clip{-0.75f, 1.25f, -2.5f, 3.0f};
  for (const LinearShape& shape : kShapes) {
    SCOPED_TRACE(ToString(shape));
    const RandomWeight weight(dtype, shape.out, shape.in, 3);
    const Matrix x = RandomMatrix(shape.rows, shape.in, 4);
    const Matrix y = Multiply(context, LinearWeight::Packed(context, weight.tensor, clip), x.view());
    ExpectProduct(weight, x.view(), clip, Tolerance(context, dtype), y.view());
  }
}

// x clamped to the weight's input bounds and rounded, in the given memory.
BF16Rows Rounded(ConstMatrixView x, const ClipBounds& clip, const Buffer& buffer) {
  const BF16Rows rows{.data = reinterpret_cast<uint16_t*>(buffer.get()),
                      .rows = x.rows,
                      .cols = x.cols,
                      .low = clip.input_min,
                      .high = clip.input_max};
  for (int64_t r = 0; r < x.rows; ++r) {
    FillBF16Row(rows, r,
                [&](int64_t first, int64_t count, float* values) { std::copy_n(x.row(r) + first, count, values); });
  }
  return rows;
}

constexpr LinearShape kRoundedShapes[] = {{17, 32, 70},    {40, 192, 192},  {64, 192, 192},   {65, 64, 100},
                                          {130, 1024, 72}, {630, 192, 192}, {100, 768, 3072}, {90, 3072, 768}};

TEST(LinearTest, RoundedRowsGiveTheBitsOfRowsThatItRoundsItself) {
  const KernelContext context = TestContext(Mode::kFast);
  const ClipBounds clip{-0.75f, 1.25f, -2.5f, 3.0f};
  for (const LinearShape& shape : kRoundedShapes) {
    SCOPED_TRACE(ToString(shape));
    const RandomWeight weight(DType::kBF16, shape.out, shape.in, 5);
    const Matrix x = RandomMatrix(shape.rows, shape.in, 6);
    const LinearWeight linear = LinearWeight::Packed(context, weight.tensor, clip);
    if (!ReadsBF16(context, linear)) {
      return;  // no native products
    }
    const Matrix expected = Multiply(context, linear, x.view());
    const Buffer buffer(static_cast<size_t>(shape.rows * shape.in) * sizeof(uint16_t));
    Arena scratch(LinearScratchBytes(shape.rows, shape.in, shape.out));
    Matrix y(shape.rows, shape.out);
    Linear(context, linear, Rounded(x.view(), clip, buffer), y.view(), scratch);
    for (int64_t r = 0; r < shape.rows; ++r) {
      ASSERT_TRUE(SameBits(y.view().row(r), expected.view().row(r), shape.out)) << "row " << r;
    }
  }
}

TEST(LinearTest, RefusesRowsClampedToOtherBounds) {
  const KernelContext context = TestContext(Mode::kFast);
  const RandomWeight weight(DType::kBF16, 64, 64, 1);
  const LinearWeight linear = LinearWeight::Packed(context, weight.tensor, {.input_min = -1.0f});
  const Matrix y(8, 64);
  const Buffer buffer(8 * 64 * sizeof(uint16_t));
  const BF16Rows x{.data = reinterpret_cast<uint16_t*>(buffer.get()), .rows = 8, .cols = 64};
  Arena scratch(LinearScratchBytes(8, 64, 64));
  EXPECT_THAT([&] { Linear(context, linear, x, y.view(), scratch); },
              ThrowsMessage<InternalError>(HasSubstr("x.low == weight.clip().input_min")));
}

TEST(LinearTest, ReadsRoundedRowsOnlyWhereItsProductsDo) {
  const RandomWeight weight(DType::kBF16, 64, 64, 1);
  const RandomWeight narrow(DType::kBF16, 64, 48, 1);
  const RandomWeight floats(DType::kF32, 64, 64, 1);
  const KernelContext fast = TestContext(Mode::kFast);
  const KernelContext exact = TestContext(Mode::kExact);
  EXPECT_FALSE(ReadsBF16(exact, LinearWeight::Packed(exact, weight.tensor)));
  EXPECT_FALSE(ReadsBF16(fast, LinearWeight::Packed(fast, narrow.tensor)));
  EXPECT_FALSE(ReadsBF16(fast, LinearWeight::Packed(fast, floats.tensor)));
  EXPECT_FALSE(ReadsBF16(fast, LinearWeight::Mapped(weight.tensor)));
}

INSTANTIATE_TEST_SUITE_P(All, LinearProductTest,
                         testing::Combine(testing::ValuesIn(TestableIsas(TestMaxIsa())),
                                          testing::Values(Mode::kExact, Mode::kFast),
                                          testing::Values(DType::kBF16, DType::kF16, DType::kF32),
                                          testing::Values(Storage::kPacked, Storage::kMapped)));

TEST(LinearTest, NoRowsIsNoWork) {
  const KernelContext context = TestContext(Mode::kFast);
  const RandomWeight weight(DType::kBF16, 8, 8, 1);
  Arena scratch(LinearScratchBytes(0, 8, 8));
  const ConstMatrixView x(nullptr, 0, 8, 8);
  Linear(context, LinearWeight::Packed(context, weight.tensor), x, {nullptr, 0, 8, 8}, scratch);
}

TEST(LinearTest, WritesOnlyItsColumns) {
  for (const Isa isa : TestableIsas(TestMaxIsa())) {
    const KernelContext context = MakeKernelContext(Mode::kFast, isa);
    const RandomWeight weight(DType::kBF16, 70, 48, 1);
    const LinearWeight linear = LinearWeight::Packed(context, weight.tensor);
    for (const int64_t rows : {int64_t{3}, int64_t{200}}) {
      const Matrix x = RandomMatrix(rows, 48, 2);
      Matrix wide(rows, 96);
      std::fill_n(wide.view().data, wide.size_bytes() / sizeof(float), 7.0f);
      Arena scratch(LinearScratchBytes(rows, 48, 70));
      Linear(context, linear, x.view(), {wide.view().data, rows, 70, wide.view().stride}, scratch);
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 70; c < 96; ++c) {
          ASSERT_EQ(wide.view().row(r)[c], 7.0f) << IsaName(isa) << " row " << r << " column " << c;
        }
      }
    }
  }
}

TEST(LinearTest, RefusesWeightsItCannotRead) {
  const KernelContext context = TestContext(Mode::kFast);
  const std::vector<uint16_t> values(64, 0);
  EXPECT_THAT(
      [&] {
        LinearWeight::Packed(context, {values.data(), DType::kBF16, {4, 4, 4}});
      },
      ThrowsMessage<ArgumentError>(HasSubstr("[out, in], not [4, 4, 4]")));
  EXPECT_THAT(
      [&] {
        LinearWeight::Mapped({values.data(), DType::kBF16, {0, 4}});
      },
      ThrowsMessage<ArgumentError>(HasSubstr("not [0, 4]")));
  EXPECT_THAT(
      [&] {
        LinearWeight::Mapped({values.data(), DType::kI32, {4, 8}});
      },
      ThrowsMessage<ArgumentError>(HasSubstr("holds reals, not I32")));
  EXPECT_THAT(
      [&] {
        LinearWeight::Packed(context, {values.data(), DType::kQ40, {2, 48}});
      },
      ThrowsMessage<ArgumentError>(HasSubstr("of type Q4_0 has rows of whole blocks of 32 values, not of 48")));
  EXPECT_THAT(
      [&] {
        LinearWeight::Mapped({values.data(), DType::kQ6K, {1, 128}});
      },
      ThrowsMessage<ArgumentError>(HasSubstr("Q6_K has rows of whole blocks of 256 values, not of 128")));
  EXPECT_THAT(
      [&] {
        LinearWeight::Packed(context, {values.data(), DType::kInt4, {1, 64}});
      },
      ThrowsMessage<ArgumentError>(HasSubstr("if and only if it is INT4; this one is INT4")));
  EXPECT_THAT(
      [&] {
        LinearWeight::Mapped({.bytes = values.data(), .dtype = DType::kQ80, .shape = {1, 32}, .scales = values.data()});
      },
      ThrowsMessage<ArgumentError>(HasSubstr("this one is Q8_0")));
}

TEST(LinearTest, RefusesBoundsOutOfOrder) {
  const KernelContext context = TestContext(Mode::kFast);
  const RandomWeight weight(DType::kBF16, 8, 8, 1);
  EXPECT_THAT(
      [&] {
        LinearWeight::Packed(context, weight.tensor, {1.0f, -1.0f, 0.0f, 0.0f});
      },
      ThrowsMessage<ArgumentError>(HasSubstr("clip bounds are out of order: input [1.0")));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(
      [&] {
        LinearWeight::Packed(context, weight.tensor, {-1.0f, 1.0f, nan, 0.0f});
      },
      ThrowsMessage<ArgumentError>(HasSubstr("output [nan")));
}

TEST(LinearTest, RefusesMatricesOfOtherShapes) {
  const KernelContext context = TestContext(Mode::kFast);
  const RandomWeight weight(DType::kBF16, 8, 16, 1);
  const LinearWeight linear = LinearWeight::Packed(context, weight.tensor);
  Matrix x(2, 8);
  Matrix y(2, 8);
  Arena scratch(LinearScratchBytes(2, 16, 8));
  EXPECT_THAT([&] { Linear(context, linear, x.view(), y.view(), scratch); },
              ThrowsMessage<InternalError>(HasSubstr("in_features")));
}

}  // namespace
}  // namespace percept::ops
