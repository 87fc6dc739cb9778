// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/core/error.h"
#include "kernels/ops/dequantize.h"
#include "kernels/ops/gather.h"
#include "kernels/weights/safetensors.h"
#include "tests/kernels/quantized_weight.h"
#include "tests/support/isa_caps.h"
#include "tests/support/shared_dir.h"

namespace percept::ops {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

// A payload of NaN may change on the way through a register.
bool SameValue(float a, float b) {
  return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

struct GoldenBlocks {
  std::string name;
  DType dtype;
};

constexpr DType kGoldenTypes[] = {DType::kQ40, DType::kQ41, DType::kQ50, DType::kQ80,
                                  DType::kQ4K, DType::kQ5K, DType::kQ6K};

std::vector<GoldenBlocks> AllGoldenBlocks() {
  std::vector<GoldenBlocks> all = {{"BF16.bits", DType::kBF16}, {"F16.bits", DType::kF16}};
  for (const DType dtype : kGoldenTypes) {
    all.push_back({std::string(Traits(dtype).name) + ".crafted", dtype});
    all.push_back({std::string(Traits(dtype).name) + ".quantised", dtype});
  }
  return all;
}

void ExpectReferenceBits(const std::filesystem::path& file) {
  const auto goldens = OpenSafetensors(file);
  for (const GoldenBlocks& blocks : AllGoldenBlocks()) {
    SCOPED_TRACE(blocks.name);
    const ConstTensor* raw = goldens->Find(blocks.name + ".raw");
    const ConstTensor* expected = goldens->Find(blocks.name + ".f32");
    ASSERT_TRUE(raw != nullptr && expected != nullptr);
    const int64_t count = expected->shape.elements();
    ASSERT_EQ(raw->size_bytes(), BytesOf(blocks.dtype, count));
    std::vector<float> values(static_cast<size_t>(count));
    DequantizeRow(blocks.dtype, raw->bytes, count, values.data());
    for (const Isa isa : RunnableIsas()) {
      std::vector<float> same(values.size());
      DequantizeColumns(isa, {.bytes = raw->bytes, .dtype = blocks.dtype, .shape = {1, count}}, 0, 0, count,
                        same.data());
      for (size_t i = 0; i < values.size(); ++i) {
        ASSERT_TRUE(SameValue(values[i], expected->f32()[i]))
            << "element " << i << ": " << values[i] << ", expected " << expected->f32()[i];
        ASSERT_TRUE(SameValue(values[i], same[i])) << IsaName(isa) << " element " << i;
      }
    }
  }
}

TEST(Dequantize, GivesTheReferencesBits) {
  PERCEPT_NEED_SHARED();
  ExpectReferenceBits(SharedDir() / "goldens" / "gguf" / "blocks.safetensors");
}

TEST(Dequantize, GivesTheReferencesBitsOfAFewBlocks) {
  ExpectReferenceBits(TestDataDir() / "blocks" / "blocks.safetensors");
}

TEST(Dequantize, ReadsCodesOfCompressedTensorsInOrder) {
  // Block 0 counts up from code 0 twice, block 1 down; scales 0.5 and -2.
  std::vector<uint8_t> codes;
  for (int j = 0; j < 16; ++j) {
    codes.push_back(static_cast<uint8_t>((2 * j % 16) | ((2 * j + 1) % 16) << 4));
  }
  for (int j = 0; j < 16; ++j) {
    codes.push_back(static_cast<uint8_t>((15 - 2 * j % 16) | (14 - 2 * j % 16) << 4));
  }
  const uint16_t scales[] = {FloatToBF16(0.5f), FloatToBF16(-2.0f)};
  const ConstTensor row{.bytes = codes.data(), .dtype = DType::kInt4, .shape = {1, 64}, .scales = scales};
  for (const Isa isa : RunnableIsas()) {
    float values[64];
    DequantizeColumns(isa, row, 0, 0, 64, values);
    for (int i = 0; i < 32; ++i) {
      ASSERT_EQ(values[i], 0.5f * static_cast<float>(i % 16 - 8)) << i;
      ASSERT_EQ(values[32 + i], -2.0f * static_cast<float>(15 - i % 16 - 8)) << i;
    }
  }
}

class QuantizedRows : public testing::TestWithParam<DType> {};

TEST_P(QuantizedRows, GatherReadsAnyColumnsOfAnyRow) {
  constexpr int64_t kRows = 5;
  constexpr int64_t kWidth = 768;
  const QuantizedWeight table(GetParam(), kRows, kWidth, 1);
  const std::vector<int32_t> ids = {4, 0, 3};
  for (const Isa isa : RunnableIsas()) {
    for (const auto& [first, cols] :
         {std::pair<int64_t, int64_t>{0, kWidth}, {0, 256}, {256, 512}, {64, 64}, {255, 2}, {31, 300}, {767, 1}}) {
      Matrix out(3, cols);
      GatherRows(MakeKernelContext(Mode::kFast, isa), table.tensor(), ids, first, 1.5f, out.view());
      for (int64_t r = 0; r < 3; ++r) {
        for (int64_t c = 0; c < cols; ++c) {
          ASSERT_EQ(out.view().row(r)[c], 1.5f * table.row(ids[static_cast<size_t>(r)])[first + c])
              << IsaName(isa) << " row " << r << " column " << first << " + " << c;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, QuantizedRows, testing::ValuesIn(kQuantizedTypes),
                         [](const auto& param) { return std::string(Traits(param.param).name); });

TEST(Dequantize, RefusesWhatIsNoRow) {
  const std::vector<uint8_t> bytes(256);
  std::vector<float> out(256);
  EXPECT_THAT([&] { DequantizeRow(DType::kQ40, bytes.data(), 33, out.data()); },
              ThrowsMessage<InternalError>(HasSubstr("block_elements == 0")));
  EXPECT_THAT([&] { DequantizeRow(DType::kInt4, bytes.data(), 32, out.data()); },
              ThrowsMessage<InternalError>(HasSubstr("kInt4")));
  EXPECT_THAT([&] { DequantizeRow(DType::kI32, bytes.data(), 32, out.data()); },
              ThrowsMessage<InternalError>(HasSubstr("IsReal")));
  const ConstTensor row{.bytes = bytes.data(), .dtype = DType::kQ80, .shape = {1, 64}};
  EXPECT_THAT([&] { DequantizeColumns(Isa::kPortable, row, 0, 40, 25, out.data()); },
              ThrowsMessage<InternalError>(HasSubstr("count <= matrix.width()")));
}

}  // namespace
}  // namespace percept::ops
