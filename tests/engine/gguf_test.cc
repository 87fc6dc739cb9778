// SPDX-License-Identifier: Apache-2.0
// Models in GGUF files, opened and answering through the whole engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/model.h"
#include "tests/encoders/png.h"
#include "tests/engine/gguf_variant.h"
#include "tests/engine/golden_prompt.h"
#include "tests/support/closeness.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/golden_file.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wav.h"

namespace percept {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::AnyOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

fs::path GgufDir() { return SharedDir() / "goldens" / "gguf"; }
fs::path VariantDir() { return SharedDir() / "goldens" / "variants" / "e2b-256"; }
fs::path TextFile(const std::string& mix) { return GgufDir() / ("e2b-256-" + mix + ".gguf"); }

std::string OpenError(const fs::path& path, const fs::path& mmproj = {}) {
  ManualExecutor executor;
  try {
    Model::Open(path, {.mmproj = mmproj, .engine = {.executor = &executor}});
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "(no error)";
}

fs::path Mmproj() { return GgufDir() / "e2b-256-mmproj.gguf"; }

class GgufAnswerTest : public testing::TestWithParam<std::string> {};

TEST_P(GgufAnswerTest, PromptAndAnswerAreTheReferences) {
  PERCEPT_NEED_SHARED();
  constexpr size_t kVocabSize = 512;
  OpenModel open(TextFile(GetParam()));
  const GoldenFile golden(GgufDir() / "golden.safetensors");
  const std::vector<int64_t> expected = golden.Integers(GetParam() + ".greedy_ids");
  SequenceRequest request = GoldenRequest(open, "e2b-256", "text", static_cast<int64_t>(expected.size()));
  request.top_logprobs = 100;
  request.prompt_logprobs = {.first_row = 1, .num_top = 100};
  const auto answer = Ask<ScoredResult>(open, std::move(request));
  EXPECT_EQ(answer->ids, std::vector<int32_t>(expected.begin(), expected.end()));
  const std::vector<float> logits = golden.Floats(GetParam() + ".logits");
  const auto row_of = [&](int64_t row) {
    return std::span(logits).subspan(static_cast<size_t>(row) * kVocabSize, kVocabSize);
  };
  EXPECT_EQ(answer->of_prompt.size(), 99U);
  for (const auto& [row, told] : answer->of_prompt) {
    EXPECT_LT(LogprobDifference(told, row_of(row - 1)), 1e-3) << row;
  }
  EXPECT_LT(LogprobDifference(answer->of_answer.front(), row_of(99)), 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Mixes, GgufAnswerTest, testing::Values("bf16", "q8_0", "q4_0", "kmix"),
                         [](const auto& test) { return test.param; });

TEST(GgufModelTest, ItsCardSaysWhatIsInTheFile) {
  PERCEPT_NEED_SHARED();
  const ModelCard card = Model::Inspect(TextFile("q4_0"));
  EXPECT_EQ(card.name, "e2b-256-q4_0");
  EXPECT_EQ(card.text.num_layers(), 4);
  EXPECT_EQ(card.file_bytes, 1595904);
  EXPECT_EQ(card.dtypes.at("Q6_K"), 2 * 512 * 256);
  EXPECT_EQ(card.unsupported, "");
}

// The towers of e2b-256: in an mmproj file, or in the file of the text as Ollama's converter writes them.
class GgufTowersTest : public testing::TestWithParam<bool> {
 protected:
  static OpenModel Open(const TempFolder& folder) {
    if (!GetParam()) return OpenModel(TextFile("q4_0"), Mode::kExact, {}, Mmproj());
    const fs::path file = folder.path() / "one.gguf";
    WriteOneFile(TextFile("q4_0"), Mmproj(), file);
    return OpenModel(file, Mode::kExact);
  }
  const TempFolder folder_;
};

// The pictures of a case, resized by the reference.
TEST_P(GgufTowersTest, SoftTokensOfTwoPicturesAreTheReferences) {
  PERCEPT_NEED_SHARED();
  OpenModel open = Open(folder_);
  const std::vector<float> soft = GoldenFile(VariantDir() / "golden.safetensors").Floats("image70/f32/vision.soft");
  std::vector<float> ours;
  for (const std::string picture : {"a", "b"}) {
    const TestImage resized =
        ReadPng(SharedDir() / "goldens" / "variants" / "inputs" / ("resized_" + picture + "_70.png"));
    const auto tokens = open.Encode(CutPatches(resized.view(), PixelValues::kTimesReciprocal))->tokens;
    const Matrix& rows = tokens->rows;
    for (int64_t row = 0; row < rows.rows(); ++row) {
      ours.insert(ours.end(), rows.view().row(row), rows.view().row(row) + rows.cols());
    }
  }
  const auto num_rows = static_cast<int64_t>(ours.size()) / 256;
  EXPECT_LE(MaxAbsDifference(ConstMatrixView(ours.data(), num_rows, 256, 256), soft), 1e-4);
}

TEST_P(GgufTowersTest, SoftTokensOfTwoClipsAreTheReferences) {
  PERCEPT_NEED_SHARED();
  OpenModel open = Open(folder_);
  const GoldenFile golden(VariantDir() / "golden.safetensors");
  const std::pair<const char*, const char*> clips[] = {{"clip_a.wav", "clip0"}, {"clip_b.wav", "clip1"}};
  for (const auto& [file, name] : clips) {
    const auto tokens = open.Hear(ReadWav(SharedDir() / "goldens" / "variants" / "inputs" / file))->tokens;
    EXPECT_LE(MaxAbsDifference(tokens->rows.view(), golden.Floats(std::string("audio/f32/") + name + ".soft")), 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, GgufTowersTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "OneFile" : "Mmproj"; });

TEST(GgufOneFileTest, ItsTensorsAreAllOfTheModelAndAnMmprojFileBesideItIsRefused) {
  PERCEPT_NEED_SHARED();
  const TempFolder folder;
  const fs::path file = folder.path() / "one.gguf";
  WriteOneFile(TextFile("q8_0"), Mmproj(), file);
  const ModelCard card = Model::Inspect(file);
  EXPECT_EQ(card.unused_tensors, std::vector<std::string>());
  EXPECT_EQ(card.num_vision_layers, 3);
  EXPECT_EQ(card.num_audio_layers, 3);
  EXPECT_FALSE(card.has_mmproj);
  EXPECT_THAT(OpenError(file, Mmproj()), AllOf(HasSubstr(" is also in "), HasSubstr("one.gguf")));
}

TEST(GgufMmprojTest, AFolderBringsItsOwn) {
  PERCEPT_NEED_SHARED();
  const TempFolder folder;
  for (const fs::path& file : {TextFile("q8_0"), Mmproj()}) {
    fs::create_symlink(fs::absolute(file), folder.path() / file.filename());
  }
  const ModelCard card = Model::Inspect(folder.path());
  EXPECT_EQ(card.text.vision, EncoderKind::kTower);
  EXPECT_EQ(card.num_vision_layers, 3);
  EXPECT_EQ(card.num_audio_layers, 3);
  EXPECT_EQ(OpenModel(folder.path()).model->card().num_tensors, card.num_tensors);
}

TEST(GgufMmprojTest, ThatOfAnotherModelIsRefusedWithBothWidths) {
  PERCEPT_NEED_SHARED();
  const TempFolder folder;
  GgufWriter writer;
  writer.AddString("general.architecture", "clip");
  writer.AddU32("clip.vision.projection_dim", 2560);
  const fs::path file = folder.Write("other.gguf", writer.Bytes());
  EXPECT_EQ(OpenError(TextFile("q4_0"), file),
            file.string() + ": key 'clip.vision.projection_dim' is 2560, but the decoder in " +
                TextFile("q4_0").string() + " has width 256: an mmproj file of another model");
}

TEST(GgufMmprojTest, WhatIsNoMmprojIsRefused) {
  PERCEPT_NEED_SHARED();
  const fs::path text = TextFile("q4_0");
  EXPECT_EQ(OpenError(text, text), text.string() + ": not an mmproj file: its architecture is 'gemma4', not 'clip'");
  EXPECT_EQ(OpenError(text, "/no/such.gguf"), "/no/such.gguf: no such file");
  const fs::path json = VariantDir() / "config.json";
  EXPECT_EQ(OpenError(text, json), json.string() + ": not a GGUF file: the file of the encoders must be one");
  EXPECT_EQ(OpenError(VariantDir(), Mmproj()), Mmproj().string() +
                                                   ": an mmproj file goes with a GGUF file; the model at " +
                                                   VariantDir().string() + " has its own encoders");
}

// The file's bytes with the two dimensions of a matrix swapped.
std::string WithDimensionsSwapped(std::string bytes, const std::string& tensor) {
  const size_t dims = bytes.find(GgufWriter::Text(tensor)) + sizeof(uint64_t) + tensor.size() + sizeof(uint32_t);
  std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(dims),
                   bytes.begin() + static_cast<std::ptrdiff_t>(dims + 8),
                   bytes.begin() + static_cast<std::ptrdiff_t>(dims + 8));
  return bytes;
}

std::string BytesOf(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

TEST(GgufRefusalTest, ATensorOfAnotherShapeHasItsNameInTheFile) {
  PERCEPT_NEED_SHARED();
  const TempFolder folder;
  const fs::path text = folder.Write("t.gguf", WithDimensionsSwapped(BytesOf(TextFile("q4_0")), "blk.3.ffn_up.weight"));
  EXPECT_EQ(OpenError(text),
            text.string() + ": tensor 'blk.3.ffn_up.weight' has shape [256, 512], expected [512, 256]");
  const fs::path mmproj =
      folder.Write("m.gguf", WithDimensionsSwapped(BytesOf(Mmproj()), "mm.input_projection.weight"));
  EXPECT_EQ(OpenError(TextFile("q4_0"), mmproj),
            mmproj.string() + ": tensor 'mm.input_projection.weight' has shape [64, 256], expected [256, 64]");
}

TEST(GgufRefusalTest, AFileCutAnywhere) {
  PERCEPT_NEED_SHARED();
  const std::string whole = BytesOf(TextFile("q4_0"));
  const TempFolder folder;
  for (size_t size = 8; size < whole.size(); size += whole.size() / 40) {
    const fs::path file = folder.Write("cut.gguf", std::string_view(whole).substr(0, size));
    EXPECT_THAT(OpenError(file), AllOf(StartsWith(file.string() + ": "),
                                       AnyOf(HasSubstr("the file is cut short or damaged"),
                                             HasSubstr("it cannot hold "), HasSubstr(" elements in "))))
        << size << " bytes";
  }
}

class GgufVariantTest : public testing::TestWithParam<const char*> {
 protected:
  static std::vector<float> Values(const Matrix& rows) {
    std::vector<float> values;
    for (int64_t row = 0; row < rows.rows(); ++row) {
      values.insert(values.end(), rows.view().row(row), rows.view().row(row) + rows.cols());
    }
    return values;
  }
};

// From either format: the same soft tokens, the same answer, as likely.
TEST_P(GgufVariantTest, IsTheModelOfTheFolder) {
  PERCEPT_NEED_SHARED();
  const fs::path folder = SharedDir() / "goldens" / "variants" / GetParam();
  const TestImage picture = ReadPng(SharedDir() / "goldens" / "variants" / "inputs" / "resized_a_70.png");
  const GgufVariant variant(GetParam());
  OpenModel from_folder(folder);
  OpenModel from_gguf(variant.text(), Mode::kExact, {}, variant.mmproj());
  TextConfig expected = from_folder.model->text_config();
  expected.token_ids.eos = {16};
  expected.rms_norm_eps = from_gguf.model->text_config().rms_norm_eps;
  EXPECT_EQ(from_gguf.model->text_config(), expected);
  std::vector<std::vector<float>> soft_tokens;
  std::vector<std::vector<PickedLogprobs>> answers;
  for (OpenModel* open : {&from_folder, &from_gguf}) {
    const auto tokens = open->Encode(CutPatches(picture.view(), PixelValues::kTimesReciprocal))->tokens;
    soft_tokens.push_back(Values(tokens->rows));
    SequenceRequest request = AskAbout(*open->model, {tokens}, "What is it?");
    request.max_tokens = 16;
    request.top_logprobs = 100;
    const auto answer = Ask<ScoredResult>(*open, std::move(request));
    answers.push_back(answer->of_answer);
  }
  EXPECT_EQ(soft_tokens[1], soft_tokens[0]);
  EXPECT_EQ(answers[1], answers[0]);
  EXPECT_FALSE(answers[0].empty());
}

INSTANTIATE_TEST_SUITE_P(Variants, GgufVariantTest, testing::Values("12b", "26b", "31b"),
                         [](const auto& test) { return std::string(test.param); });

TEST(GgufVariantSoundTest, RawFramesAreProjectedAlike) {
  PERCEPT_NEED_SHARED();
  const GgufVariant variant("12b");
  const std::vector<float> samples(1000, 0.25F);
  const auto from_gguf = OpenModel(variant.text(), Mode::kExact, {}, variant.mmproj()).Hear(samples)->tokens;
  const auto from_folder = OpenModel(SharedDir() / "goldens" / "variants" / "12b").Hear(samples)->tokens;
  ASSERT_EQ(from_gguf->rows.rows(), 2);
  EXPECT_EQ(from_gguf->rows.view().row(1)[5], from_folder->rows.view().row(1)[5]);
}

// Files whose headers alone decide.
class GgufFolderTest : public testing::Test {
 protected:
  fs::path Write(const std::string& name, const std::string& architecture) {
    GgufWriter writer;
    writer.AddString("general.architecture", architecture);
    return folder_.Write(name, writer.Bytes());
  }
  std::string Prefix(const std::string& name = "") const { return (folder_.path() / name).string() + ": "; }

  TempFolder folder_;
};

TEST_F(GgufFolderTest, TwoTextDecodersInAFolderLeaveAChoice) {
  Write("a.gguf", "gemma4");
  Write("b.gguf", "gemma4");
  Write("mmproj.gguf", "clip");
  EXPECT_EQ(OpenError(folder_.path()),
            folder_.path().string() +
                ": 2 GGUF files of text decoders, a.gguf and b.gguf: name one of them instead of the folder");
}

TEST_F(GgufFolderTest, TwoFilesOfEncodersLeaveAChoice) {
  Write("a.gguf", "gemma4");
  for (const char* name : {"m1.gguf", "m2.gguf", "m3.gguf"}) Write(name, "clip");
  EXPECT_THAT(OpenError(folder_.path()),
              EndsWith("3 GGUF files of encoders, m1.gguf and m2.gguf among them: name one of them as mmproj"));
}

TEST_F(GgufFolderTest, EncodersAloneAreNoModel) {
  const fs::path file = Write("m.gguf", "clip");
  EXPECT_EQ(OpenError(file),
            Prefix("m.gguf") + "an mmproj file, which has encoders only: the model is the GGUF file that goes with it");
  EXPECT_THAT(OpenError(folder_.path()),
              EndsWith("none of its GGUF files holds a text decoder (architecture 'gemma4')"));
}

TEST_F(GgufFolderTest, AnotherArchitectureIsNamed) {
  EXPECT_EQ(OpenError(Write("llama.gguf", "llama")),
            Prefix("llama.gguf") + "key 'general.architecture' is 'llama', not 'gemma4'");
}

TEST_F(GgufFolderTest, OtherVersionsOfTheFormatAndDamageAreNamed) {
  GgufWriter writer;
  writer.AddString("general.architecture", "gemma4");
  for (const uint32_t version : {1U, 2U}) {
    EXPECT_THAT(OpenError(folder_.Write("old.gguf", writer.Bytes(version))),
                AllOf(HasSubstr("old.gguf"), HasSubstr("version " + std::to_string(version))));
  }
  EXPECT_THAT(OpenError(folder_.Write("cut.gguf", writer.Bytes().substr(0, 40))),
              AllOf(HasSubstr("cut.gguf"), HasSubstr("cut short or damaged")));
  writer.AddTensor("output_norm.weight", 99, {32}, std::string(32, '\0'));
  EXPECT_THAT(OpenError(folder_.Write("odd.gguf", writer.Bytes())),
              AllOf(HasSubstr("odd.gguf"), HasSubstr("output_norm.weight"), HasSubstr("99")));
}

}  // namespace
}  // namespace percept
