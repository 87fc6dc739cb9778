// SPDX-License-Identifier: Apache-2.0
// Ops that treat each row alone, against scalar references in double, for every instruction set and shapes with and
// without whole vectors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <ostream>
#include <tuple>

#include "kernels/core/error.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/gather.h"
#include "kernels/ops/layer_norm.h"
#include "kernels/ops/pool.h"
#include "kernels/ops/rms_norm.h"
#include "tests/support/isa_caps.h"
#include "tests/support/random_matrix.h"

namespace percept {
namespace {

struct Extent {
  int64_t rows;
  int64_t cols;
};

void PrintTo(const Extent& extent, std::ostream* out) { *out << extent.rows << "x" << extent.cols; }

class SmallOps : public testing::TestWithParam<std::tuple<Isa, Extent>> {
 protected:
  KernelContext context() const { return {.isa = std::get<0>(GetParam()), .mode = Mode::kExact}; }
  int64_t rows() const { return std::get<1>(GetParam()).rows; }
  int64_t cols() const { return std::get<1>(GetParam()).cols; }

  // expected(row, col) in double, relative to the larger of 1 and the value.
  static void ExpectNear(ConstMatrixView actual, double tolerance,
                         const std::function<double(int64_t row, int64_t col)>& expected) {
    for (int64_t r = 0; r < actual.rows; ++r) {
      for (int64_t c = 0; c < actual.cols; ++c) {
        const double want = expected(r, c);
        ASSERT_NEAR(actual.row(r)[c], want, tolerance * std::max(1.0, std::abs(want))) << "row " << r << " col " << c;
      }
    }
  }
};

constexpr Extent kExtents[] = {{1, 1}, {3, 5}, {2, 16}, {1, 36}, {5, 64}, {4, 72}, {3, 255}, {67, 768}, {2, 40001}};

INSTANTIATE_TEST_SUITE_P(All, SmallOps,
                         testing::Combine(testing::ValuesIn(RunnableIsas()), testing::ValuesIn(kExtents)),
                         [](const auto& test) {
                           const Extent extent = std::get<1>(test.param);
                           return IsaSuffix(std::get<0>(test.param)) + "_" + std::to_string(extent.rows) + "x" +
                                  std::to_string(extent.cols);
                         });

constexpr double kEps = 1e-6;

// 1 / rms of each group of columns: [rows, cols / group]
std::vector<std::vector<double>> InverseRms(ConstMatrixView x, int64_t group) {
  std::vector<std::vector<double>> result(static_cast<size_t>(x.rows));
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t begin = 0; begin < x.cols; begin += group) {
      double sum = 0.0;
      for (int64_t i = begin; i < begin + group; ++i) {
        sum += double{x.row(r)[i]} * x.row(r)[i];
      }
      result[r].push_back(1.0 / std::sqrt(sum / static_cast<double>(group) + kEps));
    }
  }
  return result;
}

TEST_P(SmallOps, LayerNormCentersAndScalesRows) {
  const Matrix x = RandomMatrix(rows(), cols(), 1);
  for (int64_t r = 0; r < rows(); ++r) {
    for (int64_t c = 0; c < cols(); ++c) {
      x.view().row(r)[c] += 3.0F;  // a mean that must not swallow the variance
    }
  }
  const Matrix weight = RandomMatrix(1, cols(), 2);
  const Matrix bias = RandomMatrix(1, cols(), 3);
  const Matrix y(rows(), cols());
  ops::LayerNorm(context(), x.view(), weight.view().row(0), bias.view().row(0), 1e-5F, y.view());
  std::vector<double> means(static_cast<size_t>(rows())), variances(static_cast<size_t>(rows()));
  for (int64_t r = 0; r < rows(); ++r) {
    for (int64_t i = 0; i < cols(); ++i) {
      means[r] += x.view().row(r)[i] / static_cast<double>(cols());
    }
    for (int64_t i = 0; i < cols(); ++i) {
      variances[r] += std::pow(x.view().row(r)[i] - means[r], 2) / static_cast<double>(cols());
    }
  }
  const auto scaled = [&](int64_t r, int64_t c) {
    return (x.view().row(r)[c] - means[r]) / std::sqrt(variances[r] + 1e-5) * weight.view().row(0)[c];
  };
  ExpectNear(y.view(), 2e-5, [&](int64_t r, int64_t c) { return scaled(r, c) + bias.view().row(0)[c]; });
  ops::LayerNorm(context(), x.view(), weight.view().row(0), /*bias=*/nullptr, 1e-5F, y.view());
  ExpectNear(y.view(), 2e-5, scaled);
}

// Within [-1.5, 1.25], and rounded: the f32 result of the same op.
void ExpectRounded(const ops::BF16Rows& actual, ConstMatrixView expected) {
  for (int64_t r = 0; r < expected.rows; ++r) {
    for (int64_t c = 0; c < expected.cols; ++c) {
      ASSERT_EQ(actual.row(r)[c], FloatToBF16(std::clamp(expected.row(r)[c], -1.5f, 1.25f))) << r << " " << c;
    }
  }
}

// Ops that round what they write, for every instruction set with native bf16.
class RoundedOps : public testing::Test {
 protected:
  static constexpr int64_t kRows = 67;
  static constexpr int64_t kCols = 544;  // not a multiple of what is rounded at once
  RoundedOps()
      : buffer_(kRows * kCols * sizeof(uint16_t)),
        rounded_{.data = reinterpret_cast<uint16_t*>(buffer_.get()),
                 .rows = kRows,
                 .cols = kCols,
                 .low = -1.5f,
                 .high = 1.25f} {
    for (const Isa isa : RunnableIsas()) {
      if (const KernelContext context{.isa = isa, .mode = Mode::kFast}; context.native_bf16()) {
        contexts_.push_back(context);
      }
    }
  }
  std::vector<KernelContext> contexts_;
  Buffer buffer_;
  ops::BF16Rows rounded_;
};

TEST_F(RoundedOps, RmsNormWritesWhatItsFloatsRoundTo) {
  const Matrix x = RandomMatrix(kRows, kCols, 1, 3.0f);
  const Matrix weight = RandomMatrix(1, kCols, 2);
  const Matrix y(kRows, kCols);
  for (const KernelContext& context : contexts_) {
    ops::RmsNorm(context, x.view(), kCols, weight.view().row(0), 1e-6f, y.view());
    ops::RmsNorm(context, x.view(), weight.view().row(0), 1e-6f, rounded_);
    ExpectRounded(rounded_, y.view());
  }
}

TEST_F(RoundedOps, GeluGateWritesWhatItsFloatsRoundTo) {
  for (const KernelContext& context : contexts_) {
    const Matrix gate = RandomMatrix(kRows, kCols, 1, 2.0f);
    const Matrix up = RandomMatrix(kRows, kCols, 2);
    ops::GeluGate(context, gate.view(), up.view(), rounded_);
    ops::GeluGate(context, gate.view(), up.view());
    ExpectRounded(rounded_, gate.view());
  }
}

TEST_P(SmallOps, RmsNorm) {
  const Matrix x = RandomMatrix(rows(), cols(), 1, 3.0f);
  const auto inverse_rms = InverseRms(x.view(), cols());
  const Matrix weight = RandomMatrix(1, cols(), 2);
  const Matrix y = RandomMatrix(rows(), cols(), 3);
  ops::RmsNorm(context(), x.view(), cols(), weight.view().row(0), 1e-6f, y.view());
  ExpectNear(y.view(), 2e-6,
             [&](int64_t r, int64_t c) { return x.view().row(r)[c] * inverse_rms[r][0] * weight.view().row(0)[c]; });
}

TEST_P(SmallOps, RmsNormOfHeadsInPlaceAndWithoutWeight) {
  constexpr int64_t kHeads = 3;
  const Matrix x = RandomMatrix(rows(), kHeads * cols(), 4, 0.01f);
  const auto inverse_rms = InverseRms(x.view(), cols());
  const Matrix y = CopyOf(x.view());
  ops::RmsNorm(context(), y.view(), cols(), nullptr, 1e-6f, y.view());
  ExpectNear(y.view(), 2e-6, [&](int64_t r, int64_t c) { return x.view().row(r)[c] * inverse_rms[r][c / cols()]; });
}

TEST_P(SmallOps, RmsNormAdd) {
  const Matrix x = RandomMatrix(rows(), cols(), 5);
  const auto inverse_rms = InverseRms(x.view(), cols());
  const Matrix weight = RandomMatrix(1, cols(), 6);
  const Matrix before = RandomMatrix(rows(), cols(), 7);
  const Matrix residual = CopyOf(before.view());
  ops::RmsNormAdd(context(), x.view(), weight.view().row(0), 1e-6f, residual.view());
  ExpectNear(residual.view(), 2e-6, [&](int64_t r, int64_t c) {
    return before.view().row(r)[c] + x.view().row(r)[c] * inverse_rms[r][0] * weight.view().row(0)[c];
  });
}

TEST_P(SmallOps, GeluGate) {
  const Matrix gate = RandomMatrix(rows(), cols(), 8, 3.0f);
  const Matrix up = RandomMatrix(rows(), cols(), 9);
  const Matrix y = CopyOf(gate.view());
  ops::GeluGate(context(), y.view(), up.view());
  ExpectNear(y.view(), 2e-6, [&](int64_t r, int64_t c) {
    const double z = gate.view().row(r)[c];
    const double gelu = 0.5 * z * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (z + 0.044715 * z * z * z)));
    return gelu * up.view().row(r)[c];
  });
}

TEST_P(SmallOps, SigmoidGateAndRelu) {
  const Matrix x = RandomMatrix(rows(), cols(), 18, 3.0f);
  const Matrix gate = RandomMatrix(rows(), cols(), 19, 40.0f);
  const Matrix out = RandomMatrix(rows(), cols(), 20);
  ops::SigmoidGate(context(), x.view(), gate.view(), out.view());
  const auto sigmoid = [](double z) { return 1.0 / (1.0 + std::exp(-z)); };
  ExpectNear(out.view(), 2e-6,
             [&](int64_t r, int64_t c) { return x.view().row(r)[c] * sigmoid(gate.view().row(r)[c]); });
  const Matrix silu = CopyOf(gate.view());
  ops::SigmoidGate(context(), silu.view(), silu.view(), silu.view());
  ExpectNear(silu.view(), 2e-6,
             [&](int64_t r, int64_t c) { return gate.view().row(r)[c] * sigmoid(gate.view().row(r)[c]); });
  const Matrix relu = CopyOf(x.view());
  ops::Relu(context(), relu.view());
  ExpectNear(relu.view(), 0.0, [&](int64_t r, int64_t c) { return std::max(0.0f, x.view().row(r)[c]); });
}

TEST_P(SmallOps, ScaleAddScaleSoftCap) {
  const Matrix x = RandomMatrix(rows(), cols(), 10, 40.0f);
  const Matrix y = RandomMatrix(rows(), cols(), 11);
  const Matrix scaled = CopyOf(x.view());
  ops::Scale(context(), scaled.view(), 0.125f);
  ExpectNear(scaled.view(), 0.0, [&](int64_t r, int64_t c) { return x.view().row(r)[c] * 0.125; });

  const Matrix added = CopyOf(x.view());
  ops::AddScale(context(), added.view(), y.view(), 0.7f);
  ExpectNear(added.view(), 2e-7,
             [&](int64_t r, int64_t c) { return (double{x.view().row(r)[c]} + y.view().row(r)[c]) * double{0.7f}; });

  const Matrix capped = CopyOf(x.view());
  ops::SoftCap(context(), capped.view(), 30.0f);
  ExpectNear(capped.view(), 5e-7, [&](int64_t r, int64_t c) { return 30.0 * std::tanh(x.view().row(r)[c] / 30.0); });
}

TEST_P(SmallOps, GatherRows) {
  constexpr int64_t kTableRows = 7;
  constexpr int64_t kFirstCol = 2;
  const Matrix source = RandomMatrix(kTableRows, cols() + kFirstCol + 3, 12);
  const std::vector<float> floats = Values(source.view());
  std::vector<uint16_t> bits;
  bits.reserve(floats.size());
  for (const float value : floats) {
    bits.push_back(FloatToBF16(value));
  }
  std::vector<int32_t> ids;
  for (int64_t r = 0; r < rows(); ++r) {
    ids.push_back(static_cast<int32_t>((r * 5 + 6) % kTableRows));
  }
  const Shape shape{kTableRows, source.cols()};
  const Matrix out = RandomMatrix(rows(), cols(), 13);
  ops::GatherRows(context(), {.bytes = floats.data(), .dtype = DType::kF32, .shape = shape}, ids, kFirstCol, 1.5f,
                  out.view());
  ExpectNear(out.view(), 1e-7, [&](int64_t r, int64_t c) { return 1.5 * source.view().row(ids[r])[c + kFirstCol]; });
  ops::GatherRows(context(), {.bytes = bits.data(), .dtype = DType::kBF16, .shape = shape}, ids, kFirstCol, 1.0f,
                  out.view());
  ExpectNear(out.view(), 0.0,
             [&](int64_t r, int64_t c) { return BF16ToFloat(FloatToBF16(source.view().row(ids[r])[c + kFirstCol])); });
}

TEST_P(SmallOps, AveragePool) {
  constexpr int64_t kCellsW = 4;
  const int64_t grid_w = 3 * kCellsW;
  const int64_t grid_h = 3 * rows();
  const Matrix x = RandomMatrix(grid_w * grid_h, cols(), 14);
  const Matrix out = RandomMatrix(kCellsW * rows(), cols(), 15);
  ops::AveragePool(context(), x.view(), grid_w, grid_h, 3, 2.5f, out.view());
  ExpectNear(out.view(), 1e-6, [&](int64_t cell, int64_t c) {
    double sum = 0.0;
    for (int64_t y = cell / kCellsW * 3; y < cell / kCellsW * 3 + 3; ++y) {
      for (int64_t col = cell % kCellsW * 3; col < cell % kCellsW * 3 + 3; ++col) {
        sum += x.view().row(y * grid_w + col)[c];
      }
    }
    return sum / 9.0 * 2.5;
  });
}

TEST_P(SmallOps, ARowHasTheSameBitsAlone) {
  const Matrix x = RandomMatrix(rows(), cols(), 16);
  const Matrix weight = RandomMatrix(1, cols(), 17);
  const Matrix together = CopyOf(x.view());
  const Matrix alone = CopyOf(x.view());
  const auto run = [&](MatrixView rows) {
    ops::RmsNorm(context(), rows, cols(), weight.view().row(0), 1e-6f, rows);
    ops::GeluGate(context(), rows, rows);
    ops::SigmoidGate(context(), rows, rows, rows);
    ops::SoftCap(context(), rows, 30.0f);
  };
  run(together.view());
  for (int64_t r = 0; r < rows(); ++r) {
    run(alone.Rows(r, 1));
  }
  EXPECT_EQ(Values(together.view()), Values(alone.view()));
}

TEST(SmallOpsChecks, ShapesThatDoNotFitAreABug) {
  const KernelContext context;
  const Matrix a = RandomMatrix(2, 6, 1);
  const Matrix b = RandomMatrix(2, 5, 2);
  const Matrix table = RandomMatrix(3, 16, 3);
  const ConstTensor rows{.bytes = table.view().data, .dtype = DType::kF32, .shape = {3, 16}};
  const ConstTensor ids_table{.bytes = table.view().data, .dtype = DType::kI32, .shape = {3, 16}};
  const std::vector<int32_t> beyond = {0, 3};
  const std::vector<int32_t> negative = {0, -1};
  const std::vector<int32_t> fine = {0, 2};
  EXPECT_THROW(ops::GeluGate(context, a.view(), b.view()), InternalError);
  EXPECT_THROW(ops::SigmoidGate(context, a.view(), a.view(), b.view()), InternalError);
  EXPECT_THROW(ops::RmsNorm(context, a.view(), 4, nullptr, 1e-6f, a.view()), InternalError);
  EXPECT_THROW(ops::AveragePool(context, a.view(), 2, 1, 3, 1.0f, a.view()), InternalError);
  EXPECT_THROW(ops::GatherRows(context, rows, beyond, 0, 1.0f, a.view()), InternalError);
  EXPECT_THROW(ops::GatherRows(context, rows, negative, 0, 1.0f, a.view()), InternalError);
  EXPECT_THROW(ops::GatherRows(context, rows, fine, 11, 1.0f, a.view()), InternalError);
  EXPECT_THROW(ops::GatherRows(context, ids_table, fine, 0, 1.0f, a.view()), InternalError);
  EXPECT_NO_THROW(ops::GatherRows(context, rows, fine, 10, 1.0f, a.view()));
}

}  // namespace
}  // namespace percept
