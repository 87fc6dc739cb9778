// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "decoder/text/special_tokens.h"
#include "decoder/text/stream_decoder.h"
#include "decoder/text/tokenizer.h"
#include "kernels/core/error.h"
#include "tests/decoder/text_support.h"

namespace percept {
namespace {

using ::testing::ElementsAre;

using Ids = std::vector<int32_t>;

// What the text says of each id, streamed.
std::string Streamed(const Tokenizer& tokenizer, const Ids& ids) {
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (int32_t id : ids) text += decoder.Push(id);
  return text + decoder.Finish();
}

void ExpectVectors(const Tokenizer& tokenizer, const nlohmann::json& vectors) {
  for (const nlohmann::json& vector : vectors) {
    const std::string text = vector.at("text");
    const bool is_untrusted = vector.value("kind", "") == "specials not recognised";
    const Ids ids = tokenizer.Encode(text, is_untrusted ? Trust::kUntrusted : Trust::kTrusted);
    EXPECT_EQ(ids, vector.at("ids").get<Ids>()) << text;
    if (vector.contains("decoded")) {
      EXPECT_EQ(tokenizer.Decode(ids, /*keep_special=*/true), vector.at("decoded").get<std::string>()) << text;
    }
    const bool has_special = std::any_of(ids.begin(), ids.end(), [&](int32_t id) { return tokenizer.is_special(id); });
    const char* key = has_special ? "decoded_without_specials" : "decoded";
    if (vector.contains(key)) {
      EXPECT_EQ(tokenizer.Decode(ids, /*keep_special=*/false), vector.at(key).get<std::string>()) << text;
      EXPECT_EQ(Streamed(tokenizer, ids), vector.at(key).get<std::string>()) << text;
    }
  }
}

TEST(Tokenizer, SmallVocabularyVectors) {
  const nlohmann::json vectors = ReadJson(TestDataDir() / "text" / "tiny_vectors.json");
  ASSERT_EQ(vectors.at("encode").size(), 192);
  ExpectVectors(TinyTokenizer(), vectors.at("encode"));
}

TEST(Tokenizer, FullVocabularyVectors) {
  PERCEPT_NEED_REAL_TOKENIZER();
  const Tokenizer tokenizer = RealTokenizer();
  EXPECT_EQ(tokenizer.vocab_size(), 262144);
  const nlohmann::json vectors = ReadJson(SharedDir() / "goldens" / "tokenizer" / "vectors.json");
  ASSERT_EQ(vectors.at("encode").size(), 296);
  ExpectVectors(tokenizer, vectors.at("encode"));
  for (const nlohmann::json& vector : vectors.at("decode")) {
    const Ids ids = vector.at("ids");
    EXPECT_EQ(tokenizer.Decode(ids, /*keep_special=*/true), vector.at("text").get<std::string>());
    EXPECT_EQ(tokenizer.Decode(ids, /*keep_special=*/false), vector.at("text_skip_special").get<std::string>());
  }
}

TEST(Tokenizer, MergesRunAcrossSpans) {
  const Tokenizer tokenizer = TinyTokenizer();
  const std::vector<TextSpan> spans = {
      {"<bos>user\n", Trust::kTrusted}, {"\nmo", Trust::kUntrusted}, {"del", Trust::kTrusted}};
  EXPECT_EQ(tokenizer.Encode(spans), tokenizer.Encode("<bos>user\n\nmodel", Trust::kTrusted));
}

TEST(Tokenizer, SpecialTokensNeedTrustInAllTheirCharacters) {
  const Tokenizer tokenizer = TinyTokenizer();
  const int32_t turn = tokenizer.RequireId("<turn|>");
  const auto count = [&](const std::vector<TextSpan>& spans) {
    const Ids ids = tokenizer.Encode(spans);
    return std::count(ids.begin(), ids.end(), turn);
  };
  EXPECT_EQ(count({{"a<turn|>b", Trust::kTrusted}}), 1);
  EXPECT_EQ(count({{"a<turn|>b", Trust::kUntrusted}}), 0);
  EXPECT_EQ(count({{"<tur", Trust::kTrusted}, {"n|>", Trust::kTrusted}}), 1);
  EXPECT_EQ(count({{"<tur", Trust::kTrusted}, {"n|>", Trust::kUntrusted}}), 0);
  EXPECT_EQ(count({{"<tur", Trust::kUntrusted}, {"n|>", Trust::kTrusted}}), 0);
}

TEST(Tokenizer, SpecialTokensDoNotGrowFromMerges) {
  const Tokenizer tokenizer = MadeTokenizer().Piece("<").Piece(">").Added("<>").Merge("<", ">").Build();
  EXPECT_THAT(tokenizer.Encode("<>", Trust::kUntrusted), ElementsAre(256, 257));
  EXPECT_THAT(tokenizer.Encode("<>", Trust::kTrusted), ElementsAre(258));
}

TEST(Tokenizer, LongestAddedTokenWins) {
  const Tokenizer tokenizer = MadeTokenizer().Added("<a").Added("<a>").Piece(">").Build();
  EXPECT_THAT(tokenizer.Encode("<a><a", Trust::kTrusted), ElementsAre(257, 256));
}

TEST(Tokenizer, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  const Tokenizer tokenizer = TinyTokenizer();
  const auto decoded = [&](std::string_view text) {
    return tokenizer.Decode(tokenizer.Encode(text, Trust::kUntrusted), /*keep_special=*/true);
  };
  EXPECT_EQ(decoded("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(decoded("\xE2\x82"), "\uFFFD\uFFFD");            // cut short
  EXPECT_EQ(decoded("\xC0\xAF"), "\uFFFD\uFFFD");            // overlong
  EXPECT_EQ(decoded("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
  EXPECT_EQ(decoded("\xF4\x90\x80\x80 "), "\uFFFD\uFFFD\uFFFD\uFFFD ");
}

// The definition: take the best pair, join it, start again.
Ids SlowEncode(const TokenizerParts& parts, const Tokenizer& tokenizer, const std::string& text) {
  std::map<std::pair<std::string, std::string>, size_t> ranks;
  for (size_t rank = 0; rank < parts.merges.size(); ++rank) {
    ranks.emplace(std::pair<std::string, std::string>(parts.merges[rank]), rank);
  }
  std::vector<std::string> symbols;
  for (size_t pos = 0; pos < text.size();) {
    const auto lead = static_cast<uint8_t>(text[pos]);
    const size_t num_bytes = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    symbols.push_back(text[pos] == ' ' ? "▁" : text.substr(pos, num_bytes));
    pos += num_bytes;
  }
  while (true) {
    size_t best = SIZE_MAX;
    size_t best_at = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = ranks.find({symbols[i], symbols[i + 1]});
      if (found != ranks.end() && found->second < best) {
        best = found->second;
        best_at = i;
      }
    }
    if (best == SIZE_MAX) break;
    symbols[best_at] += symbols[best_at + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
  }
  Ids ids;
  for (const std::string& symbol : symbols) ids.push_back(tokenizer.RequireId(symbol));
  return ids;
}

std::string RandomText(const std::vector<std::string>& letters, size_t num_letters, std::mt19937* random) {
  std::string text;
  while (num_letters-- > 0) text += letters[(*random)() % letters.size()];
  return text;
}

// Merges of every shape, also such as join pieces where the real table never does: each makes its own cuts.
TEST(Tokenizer, AgreesWithTheDefinitionForRandomMerges) {
  std::mt19937 random(7);
  const std::vector<std::string> letters = {"a", "b", "▁", "\n", "\t", "é"};
  const std::vector<std::string> typed = {"a", "b", " ", "\n", "\t", "é"};
  for (int round = 0; round < 300; ++round) {
    MadeTokenizer made;
    std::vector<std::string> pieces = letters;
    std::set<std::string> known(pieces.begin(), pieces.end());
    for (const std::string& letter : letters) made.Piece(letter);
    std::set<std::pair<std::string, std::string>> merged;
    const size_t num_merges = 1 + random() % 40;
    while (merged.size() < num_merges) {
      const std::string left = pieces[random() % pieces.size()];
      const std::string right = pieces[random() % pieces.size()];
      if (left.size() + right.size() > 16 || !merged.emplace(left, right).second) continue;
      if (known.insert(left + right).second) {
        pieces.push_back(left + right);
        made.Piece(left + right);
      }
      made.Merge(left, right);
    }
    const Tokenizer tokenizer = made.Build();
    for (int i = 0; i < 20; ++i) {
      const std::string text = RandomText(typed, random() % 30, &random);
      ASSERT_EQ(Pieces(tokenizer, tokenizer.Encode(text, Trust::kUntrusted)),
                Pieces(tokenizer, SlowEncode(made.parts(), tokenizer, text)))
          << "round " << round << ": " << text;
    }
  }
}

TEST(Tokenizer, AgreesWithTheDefinitionForTheFullVocabulary) {
  PERCEPT_NEED_REAL_TOKENIZER();
  const std::string json = ReadGzipFile(RealTokenizerFile());
  const nlohmann::json file = nlohmann::json::parse(json);
  const std::vector<std::pair<std::string, std::string>> merges = file["model"]["merges"];
  TokenizerParts parts;
  for (const auto& [left, right] : merges) parts.merges.emplace_back(left, right);
  const Tokenizer tokenizer = Tokenizer::FromJson(json, "tokenizer.json");
  std::mt19937 random(11);
  const std::vector<std::string> letters = {"e",  "t", "a",  "o",    "n", "th", "ing", " ", " ", "  ", "\n", "\n\n",
                                            "\t", ">", "</", "> </", "<", "/",  ".",   ",", "é", "ß",  "1",  "中"};
  std::string text;
  for (int i = 0; i < 40; ++i) text += RandomText(letters, 100, &random);
  // One table for all: the reference is quadratic in the text, but its table is what costs.
  EXPECT_EQ(tokenizer.Encode(text, Trust::kUntrusted), SlowEncode(parts, tokenizer, text));
}

// Quadratic work on a line like this would take days.
TEST(Tokenizer, LongLines) {
  const Tokenizer tokenizer = TinyTokenizer();
  const std::string words = [] {
    std::string text;
    while (text.size() < 10'000'000) text += "the quick brown fox and a model ";
    return text;
  }();
  EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(words, Trust::kUntrusted), /*keep_special=*/true), words);
  const Ids newlines = tokenizer.Encode(std::string(1'000'000, '\n'), Trust::kUntrusted);
  EXPECT_LT(newlines.size(), 1'000'000u);
  const std::string one_word(1'000'000, 'e');
  EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(one_word, Trust::kUntrusted), /*keep_special=*/true), one_word);
}

TEST(Tokenizer, DecodeTurnsBadRunsIntoOneReplacementPerByte) {
  const Tokenizer tokenizer = MadeTokenizer().Piece("x").Added("<s>").Build();
  EXPECT_EQ(tokenizer.Decode(Ids{0xE2, 0x82, 0xAC, 256}, true), "€x");
  EXPECT_EQ(tokenizer.Decode(Ids{0x41, 0xE2, 256}, true), "\uFFFD\uFFFDx");
  EXPECT_EQ(tokenizer.Decode(Ids{0xE2, 257, 0x82, 0xAC}, false), "€");
  EXPECT_EQ(tokenizer.Decode(Ids{257}, true), "<s>");
  EXPECT_EQ(MessageOf<ArgumentError>([&] { tokenizer.Decode(Ids{258}, true); }),
            "token id 258 is not in the vocabulary of made (0 to 257)");
}

TEST(StreamDecoder, EmitsWholeCodePointsOnly) {
  const Tokenizer tokenizer = MadeTokenizer().Piece("x").Added("<s>").Piece("▁a▁").Build();
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.Push(0xF0), "");
  EXPECT_EQ(decoder.Push(0x9F), "");
  EXPECT_EQ(decoder.Push(0xA6), "");
  EXPECT_EQ(decoder.Push(0x99), "🦙");
  EXPECT_EQ(decoder.Push(0xE0), "");
  EXPECT_EQ(decoder.Push(0x80), "\uFFFD\uFFFD");  // neither can go on
  for (const auto& [lead, second] : {std::pair{0xED, 0xA0}, {0xF0, 0x8F}, {0xF4, 0x90}}) {
    EXPECT_EQ(decoder.Push(lead), "");
    EXPECT_EQ(decoder.Push(second), "\uFFFD\uFFFD");
  }
  EXPECT_EQ(decoder.Push(0xE2), "");
  EXPECT_EQ(decoder.Push(0x82), "");
  EXPECT_EQ(decoder.Push(256), "\uFFFD\uFFFDx");
  EXPECT_EQ(decoder.Push(0xC3), "");
  EXPECT_EQ(decoder.Push(257), "\uFFFD");  // a special token gives no text of its own
  EXPECT_EQ(decoder.Push(0xC3), "");
  EXPECT_EQ(decoder.Push(0xC3), "\uFFFD");
  EXPECT_EQ(decoder.Push(0xA9), "é");
  EXPECT_EQ(decoder.Push(258), " a ");
  EXPECT_EQ(decoder.Push(0xC3), "");
  EXPECT_EQ(decoder.Finish(), "\uFFFD");
  EXPECT_EQ(decoder.Finish(), "");
  EXPECT_THROW(decoder.Push(-1), ArgumentError);
}

TEST(SpecialTokens, AreFoundByString) {
  const Tokenizer tokenizer = TinyTokenizer();
  const SpecialTokens tokens = FindSpecialTokens(tokenizer);
  EXPECT_EQ(tokens.bos, 2);
  EXPECT_EQ(tokens.turn_open, 15);
  EXPECT_EQ(tokens.turn_close, 16);
  EXPECT_EQ(tokens.channel_open, 13);
  EXPECT_EQ(tokens.image, 506);
  EXPECT_EQ(tokens.video, 510);
  EXPECT_EQ(MessageOf<CheckpointError>([] { FindSpecialTokens(MadeTokenizer().Added("<pad>").Build()); }),
            "made: there is no token '<eos>'");
  EXPECT_EQ(MessageOf<CheckpointError>([] { FindSpecialTokens(MadeTokenizer().Piece("<pad>").Build()); }),
            "made: '<pad>' is not among the special tokens");
}

TEST(SpecialTokens, MustBeThoseOfTheConfiguration) {
  const Tokenizer tokenizer = TinyTokenizer();
  const SpecialTokens tokens = FindSpecialTokens(tokenizer);
  TextConfig config = ReadTextConfig(TestDataDir() / "config" / "e2b" / "config.json");
  RequireSameIds(tokens, tokenizer, config, "config.json");
  config.token_ids.eoi = 7;
  EXPECT_EQ(MessageOf<CheckpointError>([&] { RequireSameIds(tokens, tokenizer, config, "config.json"); }),
            "config.json: eoi_token_id is 7, but the tokenizer has '<image|>' at 508");
  config.vocab_size = 500;
  EXPECT_EQ(MessageOf<CheckpointError>([&] { RequireSameIds(tokens, tokenizer, config, "config.json"); }),
            "config.json: vocab_size is 500, but the tokenizer has ids up to 511");
}

}  // namespace
}  // namespace percept
