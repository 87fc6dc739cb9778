// SPDX-License-Identifier: Apache-2.0
// In exact mode the bits of a row depend on its query and the keys it sees, not on the rows beside it.
#include <gtest/gtest.h>
#include <tbb/task_arena.h>

#include "kernels/ops/attention.h"
#include "tests/kernels/attention_cases.h"
#include "tests/support/test_context.h"

namespace percept::ops {
namespace {

constexpr int64_t kRows = 150;
constexpr int64_t kHeads = 6;
constexpr int64_t kKvHeads = 2;
constexpr int64_t kHeadDim = 40;
constexpr int64_t kFirstPosition = 77;
constexpr int64_t kNumKeys = kFirstPosition + kRows;

class AttentionExactTest : public testing::TestWithParam<Isa> {
 protected:
  // Rows [first, first + rows) of a causal problem with the given window.
  Matrix Attend(int64_t first, int64_t rows, int64_t window, int threads, const TestKeys& keys) {
    Matrix out(rows, kHeads * kHeadDim);
    const std::vector<KeyRange> ranges = CausalRanges(rows, kFirstPosition + first, window);
    tbb::task_arena arena(threads);
    arena.execute([&] {
      Attention(MakeKernelContext(Mode::kExact, GetParam()), q_.Rows(first, rows), kHeads, keys.view(), ranges,
                out.view(), scratch_);
    });
    return out;
  }

  void ExpectSameRows(const Matrix& some, int64_t first) {
    for (int64_t r = 0; r < some.rows(); ++r) {
      ASSERT_TRUE(SameBits(some.view().row(r), all_.view().row(first + r), kHeads * kHeadDim))
          << "row " << first + r << " of " << some.rows() << " rows from " << first;
    }
  }

  Matrix q_ = RandomMatrix(kRows, kHeads* kHeadDim, 3, 0.2f);
  Arena scratch_{AttentionScratchBytes(kRows, kHeads, kHeadDim, kNumKeys)};
  Matrix all_;
};

TEST_P(AttentionExactTest, EveryChunkingGivesTheSameBits) {
  for (const int64_t window : {50, 1000}) {
    const TestKeys keys(kNumKeys, kKvHeads, kHeadDim, 64, kNumKeys, 1);
    all_ = Attend(0, kRows, window, 1, keys);
    for (const int64_t chunk : {1, 2, 5, 16, 64, 101}) {
      for (int64_t first = 0; first < kRows; first += chunk) {
        ExpectSameRows(Attend(first, std::min(chunk, kRows - first), window, 1, keys), first);
      }
    }
  }
}

TEST_P(AttentionExactTest, EveryThreadCountGivesTheSameBits) {
  const TestKeys keys(kNumKeys, kKvHeads, kHeadDim, 64, kNumKeys, 1);
  all_ = Attend(0, kRows, 1000, 1, keys);
  ExpectSameRows(Attend(0, kRows, 1000, 2, keys), 0);
  ExpectSameRows(Attend(0, kRows, 1000, 3, keys), 0);
}

TEST_P(AttentionExactTest, EveryPlaceOfTheKeysGivesTheSameBits) {
  constexpr int64_t kWindow = 50;
  all_ = Attend(0, kRows, kWindow, 1, TestKeys(kNumKeys, kKvHeads, kHeadDim, 64, kNumKeys, 1));
  const TestKeys ring(kNumKeys, kKvHeads, kHeadDim, 37, kWindow - 1 + kRows, 1);
  ExpectSameRows(Attend(0, kRows, kWindow, 1, ring), 0);
}

INSTANTIATE_TEST_SUITE_P(All, AttentionExactTest, testing::ValuesIn(TestableIsas(TestMaxIsa())));

}  // namespace
}  // namespace percept::ops
