// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "decoder/text/tokenizer.h"
#include "kernels/core/error.h"
#include "tests/decoder/text_support.h"
#include "tests/support/temp_folder.h"

namespace percept {
namespace {

using ::testing::HasSubstr;

nlohmann::json TinyFile() { return ReadJson(TestDataDir() / "text" / "tiny_tokenizer.json"); }

Tokenizer Load(const nlohmann::json& file) { return Tokenizer::FromJson(file.dump(), "tokenizer.json"); }

TEST(TokenizerFile, MergesMayBeStrings) {
  nlohmann::json file = TinyFile();
  for (nlohmann::json& merge : file["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  const Tokenizer tokenizer = Load(file);
  const std::string text = "the model\n\n\n and  the user";
  EXPECT_EQ(tokenizer.Encode(text, Trust::kUntrusted), TinyTokenizer().Encode(text, Trust::kUntrusted));
}

TEST(TokenizerFile, EmbeddedModel) {
  PERCEPT_NEED_SHARED();
  const Tokenizer tokenizer = Tokenizer::FromFile(SharedDir() / "tiny-model" / "tokenizer.json");
  EXPECT_EQ(tokenizer.vocab_size(), 576);
  for (const nlohmann::json& sample : ReadJson(SharedDir() / "tiny-model" / "samples" / "samples.json")) {
    const std::string text = sample.at("truth");
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(text, Trust::kUntrusted), /*keep_special=*/true), text);
    EXPECT_EQ(tokenizer.Decode(sample.at("output_ids").get<std::vector<int32_t>>(), /*keep_special=*/false),
              sample.at("output"));
  }
}

struct BadFile {
  const char* name;
  std::function<void(nlohmann::json&)> spoil;
  const char* message;
};

class BadTokenizerFiles : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadTokenizerFiles, NameFileAndKey) {
  nlohmann::json file = TinyFile();
  GetParam().spoil(file);
  EXPECT_THAT(MessageOf<CheckpointError>([&] { Load(file); }),
              HasSubstr(std::string("tokenizer.json: ") + GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadTokenizerFiles,
    ::testing::Values(
        BadFile{"NoModel", [](auto& f) { f.erase("model"); }, "model is missing"},
        BadFile{"NoVocab", [](auto& f) { f["model"].erase("vocab"); }, "model.vocab is missing"},
        BadFile{"OtherModel", [](auto& f) { f["model"]["type"] = "Unigram"; }, "model.type is not 'BPE'"},
        BadFile{"NoFallback", [](auto& f) { f["model"]["byte_fallback"] = false; }, "model.byte_fallback is not true"},
        BadFile{"Dropout", [](auto& f) { f["model"]["dropout"] = 0.1; }, "model.dropout is not null"},
        BadFile{"IgnoreMerges", [](auto& f) { f["model"]["ignore_merges"] = true; },
                "model.ignore_merges is not false"},
        BadFile{"Normalizer",
                [](auto& f) {
                  f["normalizer"] = {{"type", "NFC"}};
                },
                "normalizer.pattern is missing"},
        BadFile{"NormalizerPattern", [](auto& f) { f["normalizer"]["pattern"]["String"] = "x"; },
                "normalizer does something else than replace spaces by U+2581"},
        BadFile{"PreTokenizer",
                [](auto& f) {
                  f["pre_tokenizer"] = {{"type", "ByteLevel"}};
                },
                "pre_tokenizer does something else than split at spaces"},
        BadFile{"NegativeId", [](auto& f) { f["model"]["vocab"]["zz"] = -1; },
                "model.vocab['zz'] has the id -1, outside 0.."},
        BadFile{"HugeId", [](auto& f) { f["model"]["vocab"]["zz"] = int64_t{1} << 40; },
                "model.vocab['zz'] has the id 1099511627776, outside 0.."},
        BadFile{"IdOfAnother", [](auto& f) { f["model"]["vocab"]["zz"] = 20; }, "model.vocab['"},
        BadFile{"IdIsText", [](auto& f) { f["model"]["vocab"]["zz"] = "1"; }, "model.vocab['zz'] is not an integer"},
        BadFile{"NoByte", [](auto& f) { f["model"]["vocab"].erase("<0x0A>"); },
                "the vocabulary has no piece <0x0A> for a single byte"},
        BadFile{"MergeOfThree",
                [](auto& f) {
                  f["model"]["merges"][3] = {"a", "b", "c"};
                },
                "model.merges[3] is neither two strings nor a string"},
        BadFile{"MergeWithoutSpace", [](auto& f) { f["model"]["merges"][3] = "ab"; },
                "model.merges[3] is not two pieces with a space between"},
        BadFile{"MergeEmpty",
                [](auto& f) {
                  f["model"]["merges"][3] = {"a", ""};
                },
                "model.merges[3] joins an empty piece"},
        BadFile{"MergeUnknown",
                [](auto& f) {
                  f["model"]["merges"][3] = {"q", "qq"};
                },
                "merge 3 of 'q' and 'qq': the vocabulary has no piece 'qq'"},
        BadFile{"MergeTwice", [](auto& f) { f["model"]["merges"][3] = f["model"]["merges"][2]; },
                "merge 3 of '\n\n' and '\n' repeats an earlier one"},
        BadFile{"AddedElsewhere", [](auto& f) { f["added_tokens"][0]["id"] = 1; },
                "id 1 is '<eos>' in the vocabulary and '<pad>' in added_tokens"},
        BadFile{"AddedEmpty", [](auto& f) { f["added_tokens"][0]["content"] = ""; }, "added token 0 ('') is empty"},
        BadFile{"AddedStrips", [](auto& f) { f["added_tokens"][2]["lstrip"] = true; },
                "added_tokens[2].lstrip is not false"}),
    [](const auto& test) { return test.param.name; });

TEST(TokenizerFile, Unreadable) {
  EXPECT_EQ(MessageOf<CheckpointError>([] { Tokenizer::FromFile("/nowhere/tokenizer.json"); }),
            "/nowhere/tokenizer.json: cannot be read");
  const std::string whole = TinyFile().dump();
  for (size_t num_bytes : {size_t{0}, size_t{1}, whole.size() / 2, whole.size() - 1}) {
    const TempFolder folder;
    const auto file = folder.Write("tokenizer.json", std::string_view(whole).substr(0, num_bytes));
    EXPECT_THAT(MessageOf<CheckpointError>([&] { Tokenizer::FromFile(file); }), HasSubstr("not JSON: ")) << num_bytes;
  }
}

TEST(TokenizerParts, MustBeUtf8AndUnique) {
  EXPECT_THAT(MessageOf<CheckpointError>([] { MadeTokenizer().Piece("\xC3").Build(); }),
              HasSubstr("the piece of id 256 is not UTF-8"));
  EXPECT_THAT(MessageOf<CheckpointError>([] { MadeTokenizer().Piece("a").Piece("a").Build(); }),
              HasSubstr("the ids 256 and 257 have the same piece 'a'"));
}

}  // namespace
}  // namespace percept
