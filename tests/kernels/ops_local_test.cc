// SPDX-License-Identifier: Apache-2.0
// Ops in which a row sees a few rows before it, against scalar references in double, for every instruction set.
#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/core/error.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/local_attention.h"
#include "tests/support/closeness.h"
#include "tests/support/isa_caps.h"
#include "tests/support/random_matrix.h"

namespace percept {
namespace {

struct LocalShape {
  int64_t rows, past, window, heads, head_dim;
};

void PrintTo(const LocalShape& shape, std::ostream* out) {
  *out << shape.rows << " rows after " << shape.past << ", window " << shape.window << ", " << shape.heads
       << " heads of " << shape.head_dim;
}

constexpr LocalShape kShapes[] = {{1, 0, 1, 1, 1},   {1, 11, 12, 2, 3},    {5, 2, 12, 3, 16},
                                  {40, 0, 12, 2, 7}, {67, 30, 13, 8, 128}, {3, 0, 64, 1, 20}};

class LocalOps : public testing::TestWithParam<std::tuple<Isa, LocalShape>> {
 protected:
  KernelContext context() const { return {.isa = std::get<0>(GetParam()), .mode = Mode::kExact}; }
  const LocalShape& shape() const { return std::get<1>(GetParam()); }
  int64_t cols() const { return shape().heads * shape().head_dim; }
  Matrix WithPast(uint32_t seed) const { return RandomMatrix(shape().past + shape().rows, cols(), seed); }
};

INSTANTIATE_TEST_SUITE_P(All, LocalOps, testing::Combine(testing::ValuesIn(RunnableIsas()), testing::ValuesIn(kShapes)),
                         [](const auto& test) {
                           const LocalShape& s = std::get<1>(test.param);
                           return IsaSuffix(std::get<0>(test.param)) + "_" + std::to_string(s.rows) + "after" +
                                  std::to_string(s.past) + "_" + std::to_string(s.window) + "_" +
                                  std::to_string(s.heads) + "x" + std::to_string(s.head_dim);
                         });

TEST_P(LocalOps, CausalConv) {
  const Matrix x = WithPast(1);
  const Matrix taps = RandomMatrix(shape().window, cols(), 2);
  const Matrix y = RandomMatrix(shape().rows, cols(), 3);
  ops::CausalConv(context(), x.view(), taps.view(), y.view());
  std::vector<float> expected;
  for (int64_t t = 0; t < shape().rows; ++t) {
    for (int64_t c = 0; c < cols(); ++c) {
      double sum = 0;
      for (int64_t k = 0; k < taps.rows(); ++k) {
        const int64_t from = shape().past + t - (taps.rows() - 1) + k;
        sum += from < 0 ? 0 : double{taps.view().row(k)[c]} * x.view().row(from)[c];
      }
      expected.push_back(static_cast<float>(sum));
    }
  }
  EXPECT_LE(MaxAbsDifference(y.view(), expected), 2e-5);
}

// The attention of one head of one row.
std::vector<double> AttendHead(const ops::LocalAttentionForm& form, ConstMatrixView q, ConstMatrixView keys,
                               ConstMatrixView values, int64_t row, int64_t first, int64_t head_dim) {
  const int64_t own = keys.rows - q.rows + row;
  std::vector<double> weights;
  double sum = 0;
  for (int64_t d = 0; d < form.relative_keys.rows && d <= own; ++d) {
    double score = 0;
    for (int64_t i = 0; i < head_dim; ++i) {
      score += double{q.row(row)[first + i]} * form.query_scale[i] *
               (double{keys.row(own - d)[first + i]} + form.relative_keys.row(d)[first + i]);
    }
    weights.push_back(std::exp(form.soft_cap * std::tanh(score / form.soft_cap)));
    sum += weights.back();
  }
  std::vector<double> out(static_cast<size_t>(head_dim));
  for (size_t d = 0; d < weights.size(); ++d) {
    for (int64_t i = 0; i < head_dim; ++i) {
      out[static_cast<size_t>(i)] += weights[d] / sum * values.row(own - static_cast<int64_t>(d))[first + i];
    }
  }
  return out;
}

TEST_P(LocalOps, LocalAttention) {
  const Matrix q = RandomMatrix(shape().rows, cols(), 4);
  const Matrix keys = WithPast(5);
  const Matrix values = WithPast(6);
  const Matrix scale = RandomMatrix(1, shape().head_dim, 7);
  const Matrix relative = RandomMatrix(shape().window, cols(), 8);
  const Matrix out = RandomMatrix(shape().rows, cols(), 9);
  const ops::LocalAttentionForm form{shape().heads, scale.view().row(0), relative.view(), 5.0F};
  ops::LocalAttention(context(), form, q.view(), keys.view(), values.view(), out.view());
  std::vector<float> expected;
  for (int64_t row = 0; row < shape().rows; ++row) {
    for (int64_t head = 0; head < shape().heads; ++head) {
      for (const double value :
           AttendHead(form, q.view(), keys.view(), values.view(), row, head * shape().head_dim, shape().head_dim)) {
        expected.push_back(static_cast<float>(value));
      }
    }
  }
  EXPECT_LE(MaxAbsDifference(out.view(), expected), 1e-5);
}

TEST_P(LocalOps, ARowHasTheSameBitsInAnyCut) {
  const Matrix q = RandomMatrix(shape().rows, cols(), 4);
  const Matrix keys = WithPast(5);
  const Matrix values = WithPast(6);
  const Matrix scale = RandomMatrix(1, shape().head_dim, 7);
  const Matrix relative = RandomMatrix(shape().window, cols(), 8);
  const ops::LocalAttentionForm form{shape().heads, scale.view().row(0), relative.view(), 50.0F};
  const Matrix attended = RandomMatrix(shape().rows, cols(), 9);
  const Matrix convolved = RandomMatrix(shape().rows, cols(), 10);
  ops::LocalAttention(context(), form, q.view(), keys.view(), values.view(), attended.view());
  ops::CausalConv(context(), keys.view(), relative.view(), convolved.view());
  const Matrix one(1, cols());
  for (int64_t row = 0; row < shape().rows; ++row) {
    const int64_t past = std::min(shape().past + row, shape().window - 1);
    const int64_t first = shape().past + row - past;
    ops::LocalAttention(context(), form, q.Rows(row, 1), keys.Rows(first, past + 1), values.Rows(first, past + 1),
                        one.view());
    ASSERT_EQ(Values(one.view()), Values(attended.Rows(row, 1))) << row;
    ops::CausalConv(context(), keys.Rows(first, past + 1), relative.view(), one.view());
    ASSERT_EQ(Values(one.view()), Values(convolved.Rows(row, 1))) << row;
  }
}

TEST(LocalOpsChecks, ShapesThatDoNotFitAreABug) {
  const KernelContext context;
  const Matrix q = RandomMatrix(2, 6, 1);
  const Matrix keys = RandomMatrix(1, 6, 2);
  const Matrix relative = RandomMatrix(12, 6, 3);
  const Matrix too_far = RandomMatrix(65, 6, 3);
  const Matrix out(2, 6);
  const float scale[6] = {};
  const auto attend = [&](ops::LocalAttentionForm form, ConstMatrixView with_past) {
    ops::LocalAttention(context, form, q.view(), with_past, with_past, out.view());
  };
  EXPECT_NO_THROW(attend({2, scale, relative.view(), 1.0F}, q.view()));
  EXPECT_THROW(attend({2, scale, relative.view(), 1.0F}, keys.view()), InternalError);
  EXPECT_THROW(attend({4, scale, relative.view(), 1.0F}, q.view()), InternalError);
  EXPECT_THROW(attend({2, scale, too_far.view(), 1.0F}, q.view()), InternalError);
  EXPECT_THROW(attend({2, scale, relative.view(), 0.0F}, q.view()), InternalError);
  EXPECT_THROW(ops::CausalConv(context, keys.view(), relative.view(), out.view()), InternalError);
}

}  // namespace
}  // namespace percept
