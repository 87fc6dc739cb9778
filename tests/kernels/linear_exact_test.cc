// SPDX-License-Identifier: Apache-2.0
// In exact mode the bits of a row depend on that row and the weight alone.
#include <gtest/gtest.h>
#include <tbb/task_arena.h>

#include <tuple>

#include "kernels/ops/linear.h"
#include "tests/kernels/linear_cases.h"
#include "tests/support/test_context.h"

namespace percept::ops {
namespace {

constexpr int64_t kIn = 259;
constexpr int64_t kOut = 200;
constexpr int64_t kMaxRows = 70;

class LinearExactTest : public testing::TestWithParam<std::tuple<Isa, DType, bool>> {
 protected:
  LinearExactTest()
      : context_(MakeKernelContext(Mode::kExact, std::get<0>(GetParam()))),
        weight_(std::get<1>(GetParam()), kOut, kIn, 1),
        linear_(std::get<2>(GetParam()) ? LinearWeight::Packed(context_, weight_.tensor)
                                        : LinearWeight::Mapped(weight_.tensor)),
        x_(RandomMatrix(kMaxRows, kIn, 2)),
        scratch_(LinearScratchBytes(kMaxRows, kIn, kOut)) {}

  // Rows [first, first + rows) computed together by `threads` workers.
  Matrix Multiply(int64_t first, int64_t rows, int threads) {
    Matrix y(rows, kOut);
    tbb::task_arena arena(threads);
    arena.execute([&] { Linear(context_, linear_, x_.Rows(first, rows), y.view(), scratch_); });
    return y;
  }

  KernelContext context_;
  RandomWeight weight_;
  LinearWeight linear_;
  Matrix x_;
  Arena scratch_;
};

TEST_P(LinearExactTest, EveryRowCountGivesTheSameBits) {
  const Matrix all = Multiply(0, kMaxRows, 1);
  for (int64_t rows = 1; rows <= kMaxRows; ++rows) {
    const Matrix some = Multiply(0, rows, 1);
    for (int64_t r = 0; r < rows; ++r) {
      ASSERT_TRUE(SameBits(some.view().row(r), all.view().row(r), kOut)) << rows << " rows, row " << r;
    }
  }
}

TEST_P(LinearExactTest, EveryChunkingGivesTheSameBits) {
  const Matrix all = Multiply(0, kMaxRows, 1);
  for (const int64_t chunk : {1, 3, 7, 16, 33}) {
    for (int64_t first = 0; first < kMaxRows; first += chunk) {
      const int64_t rows = std::min(chunk, kMaxRows - first);
      const Matrix some = Multiply(first, rows, 1);
      for (int64_t r = 0; r < rows; ++r) {
        ASSERT_TRUE(SameBits(some.view().row(r), all.view().row(first + r), kOut))
            << "chunks of " << chunk << ", row " << first + r;
      }
    }
  }
}

TEST_P(LinearExactTest, EveryThreadCountGivesTheSameBits) {
  const Matrix one = Multiply(0, kMaxRows, 1);
  for (const int threads : {2, 3}) {
    const Matrix more = Multiply(0, kMaxRows, threads);
    for (int64_t r = 0; r < kMaxRows; ++r) {
      ASSERT_TRUE(SameBits(one.view().row(r), more.view().row(r), kOut)) << threads << " threads, row " << r;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, LinearExactTest,
                         testing::Combine(testing::ValuesIn(TestableIsas(TestMaxIsa())),
                                          testing::Values(DType::kBF16, DType::kF16, DType::kF32), testing::Bool()));

}  // namespace
}  // namespace percept::ops
