// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/core/error.h"
#include "kernels/weights/claim_list.h"
#include "kernels/weights/gguf.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ40 = 2;
constexpr uint32_t kQ51 = 7;

std::string Floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

GgufSource Open(const TempFolder& folder, const std::string& bytes) {
  return GgufSource({folder.Write("model.gguf", bytes)});
}

void ExpectRefusal(const std::string& bytes, const std::string& message) {
  const TempFolder folder;
  EXPECT_THAT([&] { Open(folder, bytes); }, ThrowsMessage<CheckpointError>(EndsWith("model.gguf: " + message)));
}

TEST(Gguf, ReadsKeysOfEveryType) {
  GgufWriter writer;
  writer.AddString("name", "tiny");
  writer.AddU32("count", 7);
  writer.AddF32("rate", 0.5f);
  writer.AddKey("small", 1, GgufWriter::Raw(int8_t{-3}));
  writer.AddKey("large", 10, GgufWriter::Raw(uint64_t{1} << 40));
  writer.AddKey("yes", 7, GgufWriter::Raw(uint8_t{1}));
  writer.AddStrings("tokens", {"a", "", "\xE2\x96\x81"});
  writer.AddKey("flags", 9, GgufWriter::Raw(uint32_t{7}) + GgufWriter::Raw(uint64_t{2}) + std::string("\1\0", 2));
  const TempFolder folder;
  const GgufSource source = Open(folder, writer.Bytes());
  const GgufMetadata& metadata = source.metadata(0);
  EXPECT_EQ(metadata.String("name"), "tiny");
  EXPECT_EQ(metadata.Integer("count"), 7);
  EXPECT_EQ(metadata.Number("count"), 7.0);
  EXPECT_EQ(metadata.Number("rate"), 0.5);
  EXPECT_EQ(metadata.Integer("small"), -3);
  EXPECT_EQ(metadata.Integer("large"), int64_t{1} << 40);
  EXPECT_TRUE(metadata.Bool("yes"));
  EXPECT_THAT(metadata.StringList("tokens"), ElementsAre("a", "", "\xE2\x96\x81"));
  EXPECT_THAT(metadata.Integers("flags", 2), ElementsAre(1, 0));
  EXPECT_THAT(metadata.Integers("count", 3), ElementsAre(7, 7, 7)) << "one value holds for all";
  EXPECT_FALSE(metadata.Has("absent"));
}

TEST(Gguf, AskingForAKeyInAnotherFormNamesIt) {
  GgufWriter writer;
  writer.AddString("name", "tiny");
  writer.AddStrings("tokens", {"a", "b"});
  writer.AddKey("flags", 9, GgufWriter::Raw(uint32_t{7}) + GgufWriter::Raw(uint64_t{2}) + std::string("\1\0", 2));
  const TempFolder folder;
  const GgufSource source = Open(folder, writer.Bytes());
  const GgufMetadata& metadata = source.metadata(0);
  const auto expect = [](auto call, const std::string& message) {
    EXPECT_THAT(call, ThrowsMessage<CheckpointError>(EndsWith("model.gguf: key " + message)));
  };
  expect([&] { metadata.Integer("absent"); }, "'absent' is missing");
  expect([&] { metadata.Integer("name"); }, "'name' is a string, not an integer");
  expect([&] { metadata.Bool("name"); }, "'name' is a string, not a boolean");
  expect([&] { metadata.String("tokens"); }, "'tokens' is a list of strings, not a string");
  expect([&] { metadata.Number("flags"); }, "'flags' is a list of booleans, not a number");
  expect([&] { metadata.Integers("flags", 3); }, "'flags' has 2 elements, not 3");
}

TEST(Gguf, TensorsHaveTheNamesAndShapesOfSafetensors) {
  GgufWriter writer;
  writer.AddTensor("blk.3.attn_q.weight", kF32, {2, 3}, Floats({1, 2, 3, 4, 5, 6}));
  writer.AddTensor("v.blk.0.ffn_up.input_max", kF32, {1}, Floats({4}));
  writer.AddTensor("blk.x.attn_q.weight", kF32, {1}, Floats({0}));
  // Three channels, a picture of 1 x 2 pixels.
  writer.AddTensor("v.patch_embd.weight", kF32, {2, 1, 3, 1}, Floats({1, 2, 10, 20, 100, 200}));
  const TempFolder folder;
  const GgufSource source = Open(folder, writer.Bytes());
  EXPECT_THAT(source.Names(),
              ElementsAre("blk.x.attn_q.weight", "model.language_model.layers.3.self_attn.q_proj.weight",
                          "model.vision_tower.encoder.layers.0.mlp.up_proj.input_max",
                          "model.vision_tower.patch_embedder.input_proj.weight"));
  const ConstTensor* matrix = source.Find("model.language_model.layers.3.self_attn.q_proj.weight");
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->shape, Shape({3, 2}));
  EXPECT_EQ(matrix->f32()[2], 3.0f);
  EXPECT_EQ(source.Find("model.vision_tower.encoder.layers.0.mlp.up_proj.input_max")->shape, Shape());
  const ConstTensor* patch = source.Find("model.vision_tower.patch_embedder.input_proj.weight");
  ASSERT_EQ(patch->shape, Shape({1, 6}));
  EXPECT_THAT(std::vector<float>(patch->f32(), patch->f32() + 6), ElementsAre(1, 10, 100, 2, 20, 200));
  EXPECT_EQ(source.Find("blk.3.attn_q.weight"), nullptr);
}

std::vector<float> Values(const GgufSource& source, const std::string& name) {
  const ConstTensor* tensor = source.Find(name);
  if (tensor == nullptr) return {};
  return {tensor->f32(), tensor->f32() + tensor->shape.elements()};
}

// Pictures without a tower: the same names mean other tensors.
TEST(Gguf, TensorsOfACellProjectionHaveTheirOwnNamesAndOrder) {
  GgufWriter writer;
  writer.AddString("clip.vision.projector_type", "gemma4uv");
  writer.AddTensor("v.patch_embd.weight", kF32, {6, 2}, Floats({1, 2, 10, 20, 100, 200, 3, 4, 30, 40, 300, 400}));
  writer.AddTensor("v.patch_norm.1.bias", kF32, {6}, Floats({1, 2, 10, 20, 100, 200}));
  writer.AddTensor("v.position_embd.weight", kF32, {2, 3, 2}, Floats({1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60}));
  const TempFolder folder;
  const GgufSource source = Open(folder, writer.Bytes());
  EXPECT_THAT(Values(source, "model.vision_embedder.patch_dense.weight"),
              ElementsAre(1, 10, 100, 2, 20, 200, 3, 30, 300, 4, 40, 400));
  EXPECT_THAT(Values(source, "model.vision_embedder.patch_ln1.bias"), ElementsAre(1, 10, 100, 2, 20, 200));
  EXPECT_THAT(Values(source, "model.vision_embedder.pos_embedding"),
              ElementsAre(1, 2, 10, 20, 3, 4, 30, 40, 5, 6, 50, 60));
  EXPECT_EQ(source.Find("model.vision_embedder.pos_embedding")->shape, Shape({3, 2, 2}));
  source.ReleasePages("model.vision_embedder.patch_ln1.bias");
  EXPECT_THAT(Values(source, "model.vision_embedder.patch_ln1.bias"), ElementsAre(1, 10, 100, 2, 20, 200));
}

TEST(Gguf, AudioTensorsHaveTheirValuesBeforeTheConversion) {
  GgufWriter writer;
  writer.AddTensor("a.blk.2.per_dim_scale.weight", kF32, {2}, Floats({std::log(2.0f), std::log1p(std::exp(-3.0f))}));
  writer.AddTensor("a.blk.2.conv_dw.weight", kF32, {3, 2}, Floats({1, 2, 3, 4, 5, 6}));
  writer.AddTensor("a.blk.2.conv_norm.weight", kF32, {1}, Floats({1}));
  writer.AddTensor("a.blk.2.norm_conv.weight", kF32, {1}, Floats({2}));
  const TempFolder folder;
  const GgufSource source = Open(folder, writer.Bytes());
  const std::string layer = "model.audio_tower.layers.2.";
  EXPECT_THAT(Values(source, layer + "self_attn.per_dim_scale"),
              ElementsAre(testing::FloatNear(0, 1e-6f), testing::FloatNear(-3, 1e-5f)));
  EXPECT_EQ(source.Find(layer + "lconv1d.depthwise_conv1d.weight")->shape, Shape({2, 1, 3}));
  EXPECT_THAT(Values(source, layer + "lconv1d.pre_layer_norm.weight"), ElementsAre(1));
  EXPECT_THAT(Values(source, layer + "lconv1d.conv_norm.weight"), ElementsAre(2));
}

TEST(Gguf, AShapeThatItsNameCannotHaveIsRefused) {
  GgufWriter writer;
  writer.AddTensor("v.patch_embd.weight", kF32, {2, 1, 2, 1}, Floats({1, 2, 10, 20}));
  const TempFolder folder;
  EXPECT_THAT(
      [&] { Open(folder, writer.Bytes()); },
      ThrowsMessage<CheckpointError>(EndsWith("model.gguf: tensor 'v.patch_embd.weight': F32 of [1, 2, 1, 2] is "
                                              "not what a tensor of that name can be")));
}

TEST(Gguf, BoundsInOneTensorAreOfNoMoreThanAThousandLayers) {
  GgufWriter writer;
  writer.AddTensor("v.clamp_data", kF32, {32769}, std::string(4 * 32769, '\0'));
  const TempFolder folder;
  EXPECT_THAT([&] { Open(folder, writer.Bytes()); },
              ThrowsMessage<CheckpointError>(EndsWith("model.gguf: tensor 'v.clamp_data': F32 of [32769] is not what a "
                                                      "tensor of that name can be")));
}

TEST(Gguf, WhatIsMissingHasTheNameThatItsFileWouldHave) {
  const std::string names[] = {"blk.12.attn_q.weight",
                               "token_embd.weight",
                               "blk.0.layer_output_scale.weight",
                               "output.weight",
                               "v.patch_embd.weight",
                               "v.position_embd.weight",
                               "v.blk.3.attn_out.weight",
                               "v.blk.3.attn_out.input_min",
                               "v.std_scale",
                               "v.blk.1.ln1.weight",
                               "a.conv1d.1.norm.weight",
                               "a.blk.2.per_dim_scale.weight",
                               "a.blk.2.ln2.weight",
                               "a.blk.2.conv_dw.weight",
                               "a.blk.2.ffn_up_1.output_max",
                               "mm.a.input_projection.weight",
                               "nextn.pre_projection.weight"};
  for (const GgufEncoders encoders : {GgufEncoders::kTower, GgufEncoders::kCells, GgufEncoders::kTowersInTextFile}) {
    for (const std::string& name : names) {
      const std::string here = SafetensorsName(name, encoders).name;
      if (here == name) continue;  // not a name of such files
      EXPECT_EQ(GgufTensorName(here, encoders), name) << here;
    }
  }
  EXPECT_EQ(GgufTensorName("model.unheard_of.weight", GgufEncoders::kTower), "model.unheard_of.weight");
  GgufWriter text, mmproj;
  text.AddTensor("output_norm.weight", kF32, {1}, Floats({1}));
  mmproj.AddTensor("v.std_bias", kF32, {1}, Floats({1}));
  const TempFolder folder;
  const GgufSource source({folder.Write("text.gguf", text.Bytes()), folder.Write("mmproj.gguf", mmproj.Bytes())});
  EXPECT_THAT(source.FileOf("model.vision_tower.std_scale"), EndsWith("/mmproj.gguf"));
  EXPECT_THAT(source.FileOf("model.language_model.embed_tokens.weight"), EndsWith("/text.gguf"));
}

TEST(Gguf, WhatIsWrongWithATensorIsSaidUnderItsNameInTheFile) {
  GgufWriter writer;
  writer.AddTensor("blk.0.attn_q.weight", kF32, {2, 2}, Floats({1, 2, 3, 4}));
  const TempFolder folder;
  const GgufSource source = Open(folder, writer.Bytes());
  ClaimList claims(source);
  const auto expect = [](auto call, const std::string& message) {
    EXPECT_THAT(call, ThrowsMessage<CheckpointError>(EndsWith("model.gguf: " + message)));
  };
  const std::string attention = "model.language_model.layers.0.self_attn.";
  expect(
      [&] {
        claims.Claim(attention + "q_proj.weight", {4, 1});
      },
      "tensor 'blk.0.attn_q.weight' has shape [2, 2], expected [4, 1]");
  expect(
      [&] {
        claims.Claim(attention + "k_proj.weight", {2, 2});
      },
      "tensor 'blk.0.attn_k.weight' is missing (nearest: 'blk.0.attn_q.weight')");
  expect([&] { claims.RequireAllClaimed(); }, "1 tensor is not part of this model: 'blk.0.attn_q.weight'");
}

TEST(Gguf, AModelAndItsMmprojAreOneSource) {
  GgufWriter text;
  text.AddTensor("output_norm.weight", kF32, {1}, Floats({1}));
  GgufWriter media;
  media.AddTensor("v.std_bias", kF32, {1}, Floats({2}));
  const TempFolder folder;
  const std::filesystem::path text_file = folder.Write("text.gguf", text.Bytes());
  const GgufSource source({text_file, folder.Write("mmproj.gguf", media.Bytes())});
  EXPECT_THAT(source.FileOf("model.vision_tower.std_bias"), EndsWith("mmproj.gguf"));
  EXPECT_THAT(source.FileOf("model.language_model.norm.weight"), EndsWith("text.gguf"));
  EXPECT_THAT(
      [&] {
        GgufSource({text_file, folder.Write("again.gguf", text.Bytes())});
      },
      ThrowsMessage<CheckpointError>(
          EndsWith("again.gguf: tensor 'output_norm.weight' is also in " + text_file.string())));
}

TEST(Gguf, ATypeThatNoOpReadsIsRefusedWhereItIsAskedFor) {
  GgufWriter writer;
  writer.AddTensor("output_norm.weight", kQ51, {32}, std::string(24, '\0'));
  const TempFolder folder;
  const GgufSource source = Open(folder, writer.Bytes());
  EXPECT_THAT([&] { source.Find("model.language_model.norm.weight"); },
              ThrowsMessage<CheckpointError>(
                  EndsWith("model.gguf: tensor 'output_norm.weight': type Q5_1 cannot be used here")));
}

TEST(Gguf, RefusesOtherFiles) {
  ExpectRefusal("GGML", "not a GGUF file");
  ExpectRefusal("GG", "not a GGUF file");
  ExpectRefusal(GgufWriter().Bytes(1), "a GGUF file of version 1; only version 3 can be read");
  ExpectRefusal(GgufWriter().Bytes(2), "a GGUF file of version 2; only version 3 can be read");
  ExpectRefusal(GgufWriter().Bytes(0x03000000),
                "a GGUF file for big-endian machines; only little-endian ones can be read");
  GgufWriter split;
  split.AddU32("split.count", 3);
  ExpectRefusal(split.Bytes(), "one of the 3 files of a split model; join them into one file");
}

TEST(Gguf, RefusesAbsurdCounts) {
  const std::string start = "GGUF" + GgufWriter::Raw(uint32_t{3});
  ExpectRefusal(start + GgufWriter::Raw(uint64_t{1} << 60) + GgufWriter::Raw(uint64_t{0}),
                "it cannot hold 1152921504606846976 tensors in 0 bytes");
  ExpectRefusal(start + GgufWriter::Raw(uint64_t{0}) + GgufWriter::Raw(UINT64_MAX) + std::string(16, '\0'),
                "it cannot hold 18446744073709551615 keys in 16 bytes");
  GgufWriter list;
  list.AddKey("k", 9, GgufWriter::Raw(uint32_t{0}) + GgufWriter::Raw(uint64_t{1} << 62));
  ExpectRefusal(list.Bytes(), "key 'k' cannot have 4611686018427387904 elements in 15 bytes");
  // Small elements take eight times their size in memory.
  GgufWriter bytes;
  const uint64_t too_many = (uint64_t{1} << 24) + 1;
  bytes.AddKey("k", 9, GgufWriter::Raw(uint32_t{0}) + GgufWriter::Raw(too_many) + std::string(too_many, '\0'));
  ExpectRefusal(bytes.Bytes(), "key 'k' cannot have 16777217 elements in 16777231 bytes");
  GgufWriter text;
  text.AddKey("k", 8, GgufWriter::Raw(UINT64_MAX));
  ExpectRefusal(text.Bytes(), "it ends at byte 64, within the value of key 'k': the file is cut short or damaged");
}

TEST(Gguf, RefusesKeysThatCannotBe) {
  GgufWriter twice;
  twice.AddU32("k", 1);
  twice.AddU32("k", 1);
  ExpectRefusal(twice.Bytes(), "key 'k' is there twice");
  GgufWriter unknown;
  unknown.AddKey("k", 13, GgufWriter::Raw(uint32_t{0}));
  ExpectRefusal(unknown.Bytes(), "key 'k' is of the unknown type 13");
  GgufWriter nested;
  nested.AddKey("k", 9, GgufWriter::Raw(uint32_t{9}) + GgufWriter::Raw(uint64_t{0}));
  ExpectRefusal(nested.Bytes(), "key 'k' is a list of lists");
  GgufWriter large;
  large.AddKey("k", 10, GgufWriter::Raw(UINT64_MAX));
  ExpectRefusal(large.Bytes(), "key 'k' is too large: 18446744073709551615");
  GgufWriter boolean;
  boolean.AddKey("k", 7, GgufWriter::Raw(uint8_t{2}));
  ExpectRefusal(boolean.Bytes(), "key 'k' is a boolean of the value 2");
  GgufWriter alignment;
  alignment.AddU32("general.alignment", 24);
  ExpectRefusal(alignment.Bytes(), "key 'general.alignment' is 24, not a power of two from 8 on");
  GgufWriter unaligned;
  unaligned.AddU32("general.alignment", 4);
  unaligned.AddTensor("output_norm.weight", kF32, {1}, Floats({1}));
  ExpectRefusal(unaligned.Bytes(), "key 'general.alignment' is 4, not a power of two from 8 on");
  GgufWriter nameless;
  nameless.AddU32("", 1);
  ExpectRefusal(nameless.Bytes(), "a key has 0 bytes; 1 to 65535 are possible");
  GgufWriter endless;
  endless.AddU32(std::string(65536, 'k'), 1);
  ExpectRefusal(endless.Bytes(), "a key has 65536 bytes; 1 to 65535 are possible");
}

// A message is shown on terminals, in one line.
TEST(Gguf, WordsOfTheFileAreCutAndEscapedInMessages) {
  GgufWriter hostile;
  hostile.AddKey("k\x1B[2J\n", 13, "");
  ExpectRefusal(hostile.Bytes(), "key 'k\\x1B[2J\\n' is of the unknown type 13");
  GgufWriter endless;
  endless.AddKey(std::string(60000, 'k'), 13, "");
  ExpectRefusal(endless.Bytes(), "key '" + std::string(200, 'k') + "…' is of the unknown type 13");
}

TEST(Gguf, RefusesTensorsThatCannotBe) {
  const auto expect = [](auto describe, const std::string& message) {
    GgufWriter writer;
    writer.AddTensor("a", kF32, {8}, std::string(32, '\0'));
    describe(writer);
    ExpectRefusal(writer.Bytes(), message);
  };
  expect([](GgufWriter& w) { w.Describe("a", kF32, {1}, 0); }, "tensor 'a' is there twice");
  expect([](GgufWriter& w) { w.Describe("b", 99, {1}, 0); }, "tensor 'b' is of the unknown type 99");
  expect([](GgufWriter& w) { w.Describe("b", kF32, {}, 0); }, "tensor 'b' has 0 dimensions; 1 to 4 are possible");
  expect(
      [](GgufWriter& w) {
        w.Describe("b", kF32, {1, 1, 1, 1, 1}, 0);
      },
      "tensor 'b' has 5 dimensions; 1 to 4 are possible");
  expect([](GgufWriter& w) { w.Describe("b", kF32, {4, 0}, 0); }, "tensor 'b' has the dimension 0");
  expect([](GgufWriter& w) { w.Describe("b", kQ40, {48}, 0); },
         "tensor 'b' has rows of 48 values, which are no whole blocks of Q4_0 (32)");
  expect(
      [](GgufWriter& w) {
        w.Describe("b", kF32, {uint64_t{1} << 32, uint64_t{1} << 32}, 0);
      },
      "tensor 'b' is larger than any file");
  expect([](GgufWriter& w) { w.Describe("b", kF32, {1}, 4); }, "tensor 'b' begins at 4, not at a multiple of 32");
  expect([](GgufWriter& w) { w.Describe("b", kF32, {1}, 0); }, "tensor 'b' overlaps tensor 'a'");
  expect([](GgufWriter& w) { w.Describe("b", kF32, {1}, UINT64_MAX - 31); },
         "tensor 'b' ends beyond the file's 128 bytes: the file is cut short or damaged");
  expect([](GgufWriter& w) { w.Describe(std::string(64, 'b'), kF32, {1}, 0); },
         "a tensor's name has 64 bytes; 1 to 63 are possible");
  expect([](GgufWriter& w) { w.AddTensor("v.patch_embd.weight", kF32, {1}, Floats({0})); },
         "tensor 'v.patch_embd.weight': F32 of [1] is not what a tensor of that name can be");
}

TEST(Gguf, RefusesAFileCutAnywhere) {
  GgufWriter writer;
  writer.AddString("general.architecture", "gemma4");
  writer.AddStrings("tokens", {"a", "b"});
  writer.AddTensor("output_norm.weight", kF32, {8}, std::string(32, '\1'));
  const std::string whole = writer.Bytes();
  const TempFolder folder;
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_THAT([&] { Open(folder, whole.substr(0, size)); },
                ThrowsMessage<CheckpointError>(
                    AllOf(HasSubstr("model.gguf: "),
                          AnyOf(HasSubstr("not a GGUF file"), HasSubstr("the file is cut short or damaged"),
                                HasSubstr("it cannot hold 1 tensors"), HasSubstr("it cannot hold 2 keys"),
                                HasSubstr("key 'tokens' cannot have 2 elements")))))
        << size << " of " << whole.size() << " bytes";
  }
  EXPECT_NO_THROW(Open(folder, whole));
}

TEST(Gguf, TheReferenceFilesHoldEveryTensorOfTheModel) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens/gguf";
  const GgufSource source({folder / "e2b-256-kmix.gguf", folder / "e2b-256-mmproj.gguf"});
  EXPECT_EQ(source.metadata(0).String("general.architecture"), "gemma4");
  EXPECT_THAT(source.metadata(0).Integers("gemma4.feed_forward_length", 4), ElementsAre(256, 256, 512, 512));
  EXPECT_EQ(source.metadata(0).StringList("tokenizer.ggml.tokens").size(), 512u);
  EXPECT_EQ(source.Find("model.language_model.layers.0.mlp.down_proj.weight")->dtype, DType::kQ5K);
  EXPECT_EQ(source.Find("model.language_model.embed_tokens.weight")->shape, Shape({512, 256}));
  EXPECT_EQ(source.Find("model.vision_tower.patch_embedder.input_proj.weight")->shape, Shape({64, 768}));
  EXPECT_EQ(source.Find("model.vision_tower.patch_embedder.position_embedding_table")->shape, Shape({2, 512, 64}));
  for (const std::string& name : source.Names()) {
    EXPECT_TRUE(name.starts_with("model.") || name == "rope_freqs.weight") << name;
  }
}

}  // namespace
}  // namespace percept
