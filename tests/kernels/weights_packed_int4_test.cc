// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/core/error.h"
#include "kernels/ops/dequantize.h"
#include "kernels/weights/packed_int4.h"
#include "kernels/weights/safetensors.h"
#include "tests/support/golden_file.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

template <class T>
std::string_view Bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// A layer of two rows of 32 codes, one of its parts as the test wants it.
class PackedInt4Test : public testing::Test {
 protected:
  PackedInt4Source Open() {
    SafetensorsWriter writer;
    writer.Add("x.weight_packed", "I32", codes_, Bytes(std::vector<int32_t>(8, 0x76543210)));
    if (has_scales_) writer.AddBF16("x.weight_scale", scales_, {2, 0.5f});
    writer.Add("x.weight_shape", "I64", {2}, Bytes(shape_));
    writer.AddF32("norm.weight", {1}, {3});
    if (has_dense_) writer.AddF32("x.weight", {1}, {3});
    return PackedInt4Source(OpenSafetensors(folder_.Write("model.safetensors", writer.Bytes())));
  }
  void ExpectRefusal(const std::string& message) {
    EXPECT_THAT([&] { Open(); }, ThrowsMessage<CheckpointError>(HasSubstr("model.safetensors: tensor " + message)));
  }

  std::vector<int64_t> codes_ = {2, 4}, scales_ = {2, 1}, shape_ = {2, 32};
  bool has_scales_ = true, has_dense_ = false;
  TempFolder folder_;
};

TEST_F(PackedInt4Test, ALayerIsOneTensor) {
  const PackedInt4Source source = Open();
  EXPECT_THAT(source.Names(), ElementsAre("norm.weight", "x.weight"));
  const ConstTensor* tensor = source.Find("x.weight");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->dtype, DType::kInt4);
  EXPECT_EQ(tensor->shape, Shape({2, 32}));
  std::vector<float> values(3);
  ops::DequantizeColumns(Isa::kPortable, *tensor, 1, 0, 3, values.data());
  EXPECT_THAT(values, ElementsAre(-4, -3.5f, -3)) << "codes 0, 1, 2, less 8, times a half";
  EXPECT_EQ(source.Find("norm.weight")->f32()[0], 3);
  EXPECT_THAT(source.FileOf("x.weight"), HasSubstr("model.safetensors"));
}

TEST_F(PackedInt4Test, PartsThatDoNotFitAreNamed) {
  has_scales_ = false;
  ExpectRefusal("'x.weight_scale' is missing");
  has_scales_ = true;
  scales_ = {1, 2};
  ExpectRefusal("'x.weight_scale' has shape [1, 2], not one for each 32 codes");
  scales_ = {2, 1};
  shape_ = {2, 40};
  ExpectRefusal("'x.weight_shape' says [2, 40], but the codes are [2, 4] words of 8");
  shape_ = {2, 32};
  codes_ = {8};
  ExpectRefusal("'x.weight_packed' is I32 of [8], not I32 with 2 dimensions");
  codes_ = {2, 4};
  has_dense_ = true;
  ExpectRefusal("'x.weight' is there as well as its codes");
}

TEST(PackedInt4GoldenTest, TheFirstLayerIsTheReferencesBitForBit) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens/variants/31b-w4a16";
  const PackedInt4Source source(OpenSafetensors(folder));
  const std::string layer = "layers.0.self_attn.q_proj.weight";
  const GoldenFile golden(folder / "golden.safetensors");
  const std::vector<float> expected = golden.Floats("dequantised/" + layer);
  const ConstTensor* tensor = source.Find("model.language_model." + layer);
  ASSERT_NE(tensor, nullptr);
  std::vector<float> values(expected.size());
  for (int64_t row = 0; row < tensor->shape[0]; ++row) {
    ops::DequantizeColumns(Isa::kPortable, *tensor, row, 0, tensor->width(), values.data() + row * tensor->width());
  }
  EXPECT_EQ(values, expected);
}

}  // namespace
}  // namespace percept
