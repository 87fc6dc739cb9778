// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/bench/machine_limits.h"
#include "kernels/bench/random_blocks.h"
#include "kernels/core/error.h"
#include "kernels/core/tensor.h"
#include "kernels/ops/dequantize.h"
#include "tests/support/isa_caps.h"

namespace percept {
namespace {

TEST(MemoryReading, ReadsWhatItWrote) {
  const MemoryReading memory(int64_t{3} << 20);
  EXPECT_EQ(memory.size_bytes(), int64_t{3} << 20);
  EXPECT_TRUE(memory.ReadOnce());
  EXPECT_TRUE(memory.ReadOnce());
}

TEST(FastestProducts, RunOnEveryInstructionSetOfThisMachine) {
  for (const Isa isa : RunnableIsas()) {
    const ProductLoop loop = FastestProducts(isa);
    ASSERT_EQ(loop.run == nullptr, isa == Isa::kPortable) << IsaName(isa);
    if (loop.run == nullptr) continue;
    EXPECT_GT(loop.ops_per_round, 0) << IsaName(isa);
    loop.run(3);
  }
  EXPECT_EQ(FastestProducts(Isa::kAvx2).name, "AVX2 f32");
  EXPECT_EQ(FastestProducts(Isa::kAvx512Bf16).name, "VNNI int8");
}

class RandomBlocks : public testing::TestWithParam<DType> {};

TEST_P(RandomBlocks, AreNumbersLikeWeights) {
  constexpr int64_t kWidth = 256 * 64;
  const DType dtype = GetParam();
  const Buffer buffer(static_cast<size_t>(BytesOf(dtype, kWidth)));
  FillRandomBlocks(dtype, {buffer.get(), buffer.size_bytes()});
  const ConstTensor tensor{.bytes = buffer.get(), .dtype = dtype, .shape = {1, kWidth}};
  std::vector<float> values(kWidth);
  ops::DequantizeColumns(Isa::kPortable, tensor, 0, 0, kWidth, values.data());
  double sum = 0, squares = 0;
  for (const float value : values) {
    ASSERT_LT(std::abs(value), 0.25F);
    sum += value;
    squares += double{value} * value;
  }
  const double rms = std::sqrt(squares / kWidth);
  EXPECT_LT(std::abs(sum / kWidth), rms / 4);
  EXPECT_GT(rms, 0.01);
  EXPECT_LT(rms, 0.06);
}

INSTANTIATE_TEST_SUITE_P(Types, RandomBlocks,
                         testing::Values(DType::kF32, DType::kBF16, DType::kF16, DType::kQ40, DType::kQ41, DType::kQ50,
                                         DType::kQ80, DType::kQ4K, DType::kQ5K, DType::kQ6K),
                         [](const auto& test) { return std::string(Traits(test.param).name); });

TEST(RandomBlocksTest, OfWholeNumbersThereAreNone) {
  const Buffer buffer(64);
  try {
    FillRandomBlocks(DType::kI64, {buffer.get(), buffer.size_bytes()});
    FAIL() << "no error";
  } catch (const ArgumentError& error) {
    EXPECT_STREQ(error.what(), "no random weights of type I64");
  }
}

}  // namespace
}  // namespace percept
