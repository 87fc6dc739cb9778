// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/task_arena.h>

#include <string>
#include <tuple>
#include <vector>

#include "kernels/core/error.h"
#include "kernels/ops/attention.h"
#include "tests/kernels/attention_cases.h"
#include "tests/support/test_context.h"

namespace percept::ops {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

struct AttentionCase {
  int64_t rows, heads, kv_heads, head_dim;
  int64_t first_position;  // of row 0
  int64_t window;          // keys a row sees at most; 0: every row sees all keys
  int64_t block_rows, capacity;
};

constexpr AttentionCase kCases[] = {
    {1, 1, 1, 16, 0, 8, 4, 4},             // one key
    {1, 8, 1, 256, 300, 1000, 64, 320},    // decode over a growing cache
    {1, 4, 2, 64, 1000, 128, 160, 160},    // decode over a ring
    {2, 8, 1, 64, 1999, 5000, 512, 2048},  // decode over many keys
    {37, 4, 2, 20, 100, 50, 96, 96},       // prefill over a ring that wraps
    {70, 6, 3, 72, 0, 1000, 32, 128},      // prefill from the start
    {9, 2, 2, 512, 200, 1000, 256, 256},   // wide heads
    {5, 3, 3, 33, 63, 10, 7, 70},          // nothing is a multiple of anything
    {130, 3, 3, 64, 129, 0, 130, 130},     // a tower: all rows see all keys
    {200, 2, 2, 72, 199, 0, 200, 200},
};

Matrix ScaledQueries(const AttentionCase& c) {
  // Scores of about unit deviation, as normalised queries and keys have.
  return RandomMatrix(c.rows, c.heads * c.head_dim, 11, 1.0f / std::sqrt(static_cast<float>(c.head_dim)));
}

std::vector<KeyRange> Ranges(const AttentionCase& c) {
  return c.window == 0 ? std::vector<KeyRange>(static_cast<size_t>(c.rows), KeyRange{0, c.first_position + 1})
                       : CausalRanges(c.rows, c.first_position, c.window);
}

int64_t NumKeys(const AttentionCase& c) { return c.first_position + (c.window == 0 ? 1 : c.rows); }

class AttentionProductTest : public testing::TestWithParam<std::tuple<Isa, Mode>> {};

TEST_P(AttentionProductTest, EqualsTheDoubleReference) {
  const auto& [isa, mode] = GetParam();
  const KernelContext context = MakeKernelContext(mode, isa);
  for (const AttentionCase& c : kCases) {
    SCOPED_TRACE(std::to_string(c.rows) + " rows, head_dim " + std::to_string(c.head_dim));
    const TestKeys keys(NumKeys(c), c.kv_heads, c.head_dim, c.block_rows, c.capacity, 5);
    const Matrix q = ScaledQueries(c);
    const std::vector<KeyRange> ranges = Ranges(c);
    Matrix out(c.rows, c.heads * c.head_dim);
    Arena scratch(AttentionScratchBytes(c.rows, c.heads, c.head_dim, NumKeys(c)));
    tbb::task_arena arena(4);
    arena.execute([&] { Attention(context, q.view(), c.heads, keys.view(), ranges, out.view(), scratch); });
    const double tolerance = mode == Mode::kFast && context.native_bf16() ? 2e-2 : 1e-6;
    for (int64_t r = 0; r < c.rows; ++r) {
      for (int64_t h = 0; h < c.heads; ++h) {
        const int64_t kv_head = h / (c.heads / c.kv_heads);
        const std::vector<double> expected =
            ReferenceAttention(q.view().row(r) + h * c.head_dim, keys, kv_head, ranges[static_cast<size_t>(r)]);
        for (int64_t i = 0; i < c.head_dim; ++i) {
          ASSERT_NEAR(out.view().row(r)[h * c.head_dim + i], expected[static_cast<size_t>(i)], tolerance)
              << "row " << r << ", head " << h << ", element " << i;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionProductTest,
                         testing::Combine(testing::ValuesIn(TestableIsas(TestMaxIsa())),
                                          testing::Values(Mode::kExact, Mode::kFast)));

class AttentionErrorTest : public testing::Test {
 protected:
  void Attend(std::vector<KeyRange> ranges, int64_t heads) {
    Attention(TestContext(Mode::kExact), q_.view(), heads, keys_.view(), ranges, out_.view(), scratch_);
  }
  TestKeys keys_{10, 2, 16, 16, 16, 1};
  Matrix q_ = RandomMatrix(2, 64, 2);
  Matrix out_ = Matrix(2, 64);
  Arena scratch_{AttentionScratchBytes(2, 4, 16, 10)};
};

TEST_F(AttentionErrorTest, RefusesArgumentsThatDoNotFit) {
  Attend({{0, 5}, {0, 6}}, 4);
  EXPECT_THAT([&] { Attend({{0, 5}}, 4); }, ThrowsMessage<InternalError>(HasSubstr("ranges.size()")));
  EXPECT_THAT([&] { Attend({{0, 5}, {3, 3}}, 4); }, ThrowsMessage<InternalError>(HasSubstr("range.begin < range.end")));
  EXPECT_THAT([&] { Attend({{0, 5}, {0, 17}}, 4); }, ThrowsMessage<InternalError>(HasSubstr("keys.capacity")));
  EXPECT_THAT([&] { Attend({{0, 5}, {0, 6}}, 3); }, ThrowsMessage<InternalError>(HasSubstr("kv_heads")));
  EXPECT_THAT([&] { Attend({{0, 5}, {0, 6}}, 2); }, ThrowsMessage<InternalError>(HasSubstr("q.cols")));
}

}  // namespace
}  // namespace percept::ops
