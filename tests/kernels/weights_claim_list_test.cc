// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "kernels/core/error.h"
#include "kernels/weights/claim_list.h"
#include "kernels/weights/safetensors.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/temp_folder.h"

namespace percept {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

class ClaimListTest : public testing::Test {
 protected:
  ClaimListTest() {
    SafetensorsWriter writer;
    writer.AddBF16("model.layers.0.q_proj.weight", {2, 2}, {1, 2, 3, 4});
    writer.AddBF16("model.layers.0.k_proj.weight", {2, 2}, {5, 6, 7, 8});
    writer.AddF32("model.norm.weight", {3}, {0.5f, 1.0f, 2.0f});
    writer.Add("model.ids", "I32", {1}, std::string(4, '\0'));
    source_ = OpenSafetensors(folder_.Write("model.safetensors", writer.Bytes()));
  }

  const TempFolder folder_;
  std::unique_ptr<SafetensorsSource> source_;
};

TEST_F(ClaimListTest, HandsOutWhatIsAskedFor) {
  ClaimList claims(*source_);
  EXPECT_EQ(claims.Claim("model.layers.0.q_proj.weight", {2, 2}).dtype, DType::kBF16);
  EXPECT_THAT(claims.ClaimFloats("model.norm.weight", {3}), ElementsAre(0.5f, 1.0f, 2.0f));
  EXPECT_THAT(claims.ClaimFloats("model.layers.0.k_proj.weight", {2, 2}), ElementsAre(5.0f, 6.0f, 7.0f, 8.0f));
  claims.Ignore([](std::string_view name) { return name == "model.ids"; });
  EXPECT_NO_THROW(claims.RequireAllClaimed());
  EXPECT_TRUE(claims.Has("model.ids"));
  EXPECT_FALSE(claims.Has("model.id"));
}

TEST_F(ClaimListTest, AMissingTensorNamesTheNearest) {
  ClaimList claims(*source_);
  EXPECT_THAT(
      [&] {
        claims.Claim("model.layers.0.v_proj.weight", {2, 2});
      },
      ThrowsMessage<CheckpointError>(
          AllOf(HasSubstr("model.safetensors: tensor 'model.layers.0.v_proj.weight' is missing (nearest: "
                          "'model.layers.0.k_proj.weight', 'model.layers.0.q_proj.weight')"))));
  EXPECT_THAT([&] { claims.Claim("entirely.different", {2}); },
              ThrowsMessage<CheckpointError>(AllOf(HasSubstr("is missing"), Not(HasSubstr("nearest")))));
}

TEST_F(ClaimListTest, AnotherShapeOrDTypeIsRefused) {
  ClaimList claims(*source_);
  EXPECT_THAT([&] { claims.Claim("model.norm.weight", {4}); },
              ThrowsMessage<CheckpointError>(HasSubstr("'model.norm.weight' has shape [3], expected [4]")));
  EXPECT_THAT([&] { claims.Claim("model.norm.weight", {}); },
              ThrowsMessage<CheckpointError>(HasSubstr("has shape [3], expected []")));
  EXPECT_THAT([&] { claims.Claim("model.ids", {1}); },
              ThrowsMessage<CheckpointError>(
                  HasSubstr("'model.ids' has dtype I32, expected a real type (F32, BF16, F16, blocks)")));
}

TEST_F(ClaimListTest, IdsAreIntegersWithinTheVocabulary) {
  SafetensorsWriter writer;
  const int32_t narrow[] = {7, 0};
  const int64_t wide[] = {1, 8, int64_t{1} << 32};
  writer.Add("narrow", "I32", {2}, {reinterpret_cast<const char*>(narrow), sizeof(narrow)});
  writer.Add("wide", "I64", {3}, {reinterpret_cast<const char*>(wide), sizeof(wide)});
  writer.AddF32("reals", {1}, {1.0f});
  const std::unique_ptr<SafetensorsSource> source = OpenSafetensors(folder_.Write("ids.safetensors", writer.Bytes()));
  ClaimList claims(*source);
  EXPECT_THAT(claims.ClaimIds("narrow", {2}, 8), ElementsAre(7, 0));
  EXPECT_THAT([&] { claims.ClaimIds("narrow", {2}, 7); },
              ThrowsMessage<CheckpointError>(HasSubstr("tensor 'narrow' holds 7 at 0, expected 0 to 6")));
  EXPECT_THAT([&] { claims.ClaimIds("wide", {3}, 9); },
              ThrowsMessage<CheckpointError>(HasSubstr("tensor 'wide' holds 4294967296 at 2, expected 0 to 8")));
  EXPECT_THAT([&] { claims.ClaimIds("reals", {1}, 8); },
              ThrowsMessage<CheckpointError>(HasSubstr("'reals' has dtype F32, expected integers (I64, I32)")));
}

TEST_F(ClaimListTest, TensorsNobodyClaimedAreListed) {
  ClaimList claims(*source_);
  claims.Claim("model.norm.weight", {3});
  claims.Claim("model.layers.0.q_proj.weight", {2, 2});
  EXPECT_THAT([&] { claims.RequireAllClaimed(); },
              ThrowsMessage<CheckpointError>(
                  HasSubstr("2 tensors are not part of this model: 'model.ids', 'model.layers.0.k_proj.weight'")));
}

TEST_F(ClaimListTest, ALongListIsCutShort) {
  SafetensorsWriter writer;
  for (char c = 'a'; c <= 'k'; ++c) {
    writer.AddF32(std::string(1, c), {1}, {0.0f});
  }
  const auto source = OpenSafetensors(folder_.Write("many.safetensors", writer.Bytes()));
  EXPECT_THAT([&] { ClaimList(*source).RequireAllClaimed(); },
              ThrowsMessage<CheckpointError>(HasSubstr("11 tensors are not part of this model: 'a', 'b', 'c', 'd', "
                                                       "'e', 'f', 'g', 'h' and 3 more")));
}

}  // namespace
}  // namespace percept
