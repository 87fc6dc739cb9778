// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>

#include "decoder/text/tokenizer.h"
#include "kernels/core/error.h"
#include "kernels/weights/gguf_header.h"
#include "tests/decoder/text_support.h"
#include "tests/support/gguf_bytes.h"
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
              sample.at("output").get<std::string>());
  }
}

struct BadFile {
  const char* name;
  std::function<void(nlohmann::json&)> spoil;
  const char* message;
};

void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

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
        // 512 tokens and one more, 12 of them once more in added_tokens.
        BadFile{"LoneId", [](auto& f) { f["model"]["vocab"]["zz"] = 10'000'000; },
                "model.vocab['zz'] has the id 10000000, outside 0.."},
        BadFile{"LoneAddedId",
                [](auto& f) {
                  f["added_tokens"][0] = {{"id", 10'000'000}, {"content", "<x>"}, {"special", true}};
                },
                "added_tokens[0] has the id 10000000, outside 0.."},
        BadFile{"IdOfAnother", [](auto& f) { f["model"]["vocab"]["zz"] = 20; }, "model.vocab['zz'] has the id of '"},
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
                "merge 3 of '\\n\\n' and '\\n' repeats an earlier one"},
        BadFile{"AddedElsewhere", [](auto& f) { f["added_tokens"][0]["id"] = 1; },
                "id 1 is '<eos>' in the vocabulary and '<pad>' in added_tokens"},
        BadFile{"AddedEmpty", [](auto& f) { f["added_tokens"][0]["content"] = ""; }, "added token 0 ('') is empty"},
        BadFile{"AddedStrips", [](auto& f) { f["added_tokens"][2]["lstrip"] = true; },
                "added_tokens[2].lstrip is not false"}),
    [](const auto& test) { return test.param.name; });

// A tree of the file keeps one of two equal keys; the file itself says both.
TEST(TokenizerFile, APieceWithTwoIdsIsRefused) {
  const auto load = [](const std::string& added) {
    std::string json = TinyFile().dump();
    const std::string vocab = "\"vocab\":{";
    json.insert(json.find(vocab) + vocab.size(), added);
    return MessageOf<CheckpointError>([&] { Tokenizer::FromJson(json, "tokenizer.json"); });
  };
  EXPECT_EQ(load("\"zz\":600,\"zz\":601,"), "tokenizer.json: the ids 600 and 601 have the same piece 'zz'");
  EXPECT_EQ(load("\"zz\":600,\"zz\":600,"), "tokenizer.json: model.vocab['zz'] has the id of 'zz'");
}

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

// The tiny tokenizer as a GGUF file, changed by a test.
class GgufTokenizerTest : public ::testing::Test {
 protected:
  GgufTokenizerTest() {
    const nlohmann::json file = TinyFile();
    tokens_.resize(file["model"]["vocab"].size());
    for (const auto& [piece, id] : file["model"]["vocab"].items()) tokens_[id.get<size_t>()] = piece;
    for (const nlohmann::json& merge : file["model"]["merges"]) {
      merges_.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
    }
  }

  Tokenizer Load() {
    GgufWriter writer;
    writer.AddString("tokenizer.ggml.model", model_);
    writer.AddKey("tokenizer.ggml.add_space_prefix", 7, GgufWriter::Raw(uint8_t{adds_space_}));
    writer.AddStrings("tokenizer.ggml.tokens", tokens_);
    writer.AddStrings("tokenizer.ggml.merges", merges_);
    const std::string bytes = writer.Bytes();
    const GgufHeader header = ParseGgufHeader("model.gguf", std::as_bytes(std::span(bytes)));
    return Tokenizer::FromGguf(header.metadata);
  }
  void ExpectRefusal(const std::string& message) {
    EXPECT_EQ(MessageOf<CheckpointError>([&] { Load(); }), "model.gguf: " + message);
  }

  std::string model_ = "gemma4";
  bool adds_space_ = false;
  std::vector<std::string> tokens_;
  std::vector<std::string> merges_;
};

TEST_F(GgufTokenizerTest, GivesTheIdsOfTokenizerJson) {
  const Tokenizer tokenizer = Load();
  const Tokenizer expected = TinyTokenizer();
  ASSERT_EQ(tokenizer.vocab_size(), expected.vocab_size());
  for (int32_t id = 0; id < expected.vocab_size(); ++id) {
    EXPECT_EQ(tokenizer.piece(id), expected.piece(id));
    EXPECT_EQ(tokenizer.is_special(id), expected.is_special(id)) << expected.piece(id);
  }
  const nlohmann::json vectors = ReadJson(TestDataDir() / "text" / "tiny_vectors.json");
  for (const nlohmann::json& vector : vectors.at("encode")) {
    const std::string text = vector.at("text");
    EXPECT_EQ(tokenizer.Encode(text, Trust::kTrusted), expected.Encode(text, Trust::kTrusted)) << text;
  }
}

TEST_F(GgufTokenizerTest, AnotherFormIsRefused) {
  model_ = "llama";
  ExpectRefusal("key 'tokenizer.ggml.model' is 'llama', not 'gemma4'");
  model_ = "gemma4";
  adds_space_ = true;
  ExpectRefusal("key 'tokenizer.ggml.add_space_prefix' is true: no space is put in front of a text here");
}

TEST_F(GgufTokenizerTest, AMergeThatIsNoneIsNamed) {
  for (const char* merge : {"", "ab", "a "}) {
    merges_[2] = merge;
    ExpectRefusal("key 'tokenizer.ggml.merges' holds at 2 no two pieces with a space between");
  }
}

TEST_F(GgufTokenizerTest, TwoTokensOfOnePieceAreRefused) {
  tokens_[20] = tokens_[21];
  EXPECT_THAT(MessageOf<CheckpointError>([&] { Load(); }),
              HasSubstr("model.gguf: the ids 20 and 21 have the same piece"));
}

// What a file has to hold for merges to go in circles.
TEST(TokenizerParts, MergesThatLeadNowhereAreRefused) {
  EXPECT_EQ(MessageOf<CheckpointError>([] { MadeTokenizer().Piece("a").Merge("a", "").Build(); }),
            "made: merge 0 of 'a' and '' joins an empty piece, which would never end");
  EXPECT_EQ(MessageOf<CheckpointError>([] { MadeTokenizer().Piece("a").Merge("", "a").Build(); }),
            "made: merge 0 of '' and 'a' joins an empty piece, which would never end");
  EXPECT_EQ(MessageOf<CheckpointError>(
                [] { MadeTokenizer().Piece("a").Piece("aa").Merge("a", "a").Merge("a", "a").Build(); }),
            "made: merge 1 of 'a' and 'a' repeats an earlier one");
  EXPECT_EQ(
      MessageOf<CheckpointError>([] { MadeTokenizer().Piece("a").Piece("<0x41>a").Merge("<0x41>", "a").Build(); }),
      "made: merge 0 of '<0x41>' and 'a' joins a piece that stands for a byte");
}

TEST(TokenizerParts, IdsAreUnique) {
  MadeTokenizer made;  // the parts are views of its words
  TokenizerParts parts = made.Piece("a").parts();
  parts.added_tokens = {{256, "a", false}, {256, "b", false}};
  EXPECT_EQ(MessageOf<CheckpointError>([&] { Tokenizer(parts, "made"); }),
            "made: id 256 is 'a' in the vocabulary and 'b' in added_tokens");
  parts.added_tokens = {{1 << 20, "a", false}};
  EXPECT_EQ(MessageOf<CheckpointError>([&] { Tokenizer(parts, "made"); }),
            "made: added token 'a' has the id 1048576, more than 1540");
  parts.added_tokens = {{300, "a", false}};
  EXPECT_EQ(MessageOf<CheckpointError>([&] { Tokenizer(parts, "made"); }),
            "made: the ids 256 and 300 have the same piece 'a'");
}

TEST(TokenizerParts, MustBeUtf8AndUnique) {
  EXPECT_THAT(MessageOf<CheckpointError>([] { MadeTokenizer().Piece("\xC3").Build(); }),
              HasSubstr("the piece of id 256 is not UTF-8"));
  EXPECT_THAT(MessageOf<CheckpointError>([] { MadeTokenizer().Piece("a").Piece("a").Build(); }),
              HasSubstr("the ids 256 and 257 have the same piece 'a'"));
}

}  // namespace
}  // namespace percept
