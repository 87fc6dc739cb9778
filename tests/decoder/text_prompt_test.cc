// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "decoder/text/chat.h"
#include "decoder/text/prompt.h"
#include "kernels/core/error.h"
#include "tests/decoder/text_support.h"
#include "tests/support/golden_file.h"

namespace percept {
namespace {

using ::testing::ElementsAre;

using Ids = std::vector<int32_t>;

MediaItem Image(int num_rows) { return {MediaKind::kImage, {{num_rows, 0}}}; }
MediaItem Clip(int num_rows) { return {MediaKind::kAudio, {{num_rows, 0}}}; }

class PromptTest : public ::testing::Test {
 protected:
  Prompt Build(std::string text, const std::vector<MediaItem>& media) const {
    const TextSpan span{std::move(text), Trust::kTrusted};
    return BuildPrompt(tokenizer_, tokens_, std::span(&span, 1), media);
  }
  std::string Refusal(const std::string& text, const std::vector<MediaItem>& media) const {
    return MessageOf<InputError>([&] { Build(text, media); });
  }

  const Tokenizer tokenizer_ = TinyTokenizer();
  const SpecialTokens tokens_ = FindSpecialTokens(tokenizer_);
};

TEST_F(PromptTest, RowsStandBetweenTheirMarks) {
  const Prompt prompt = Build("<bos>a<|image|><|audio|>", {Image(2), Clip(3)});
  const int32_t a = tokenizer_.RequireId("a");
  EXPECT_THAT(prompt.ids, ElementsAre(tokens_.bos, a, tokens_.boi, tokens_.image, tokens_.image, tokens_.eoi,
                                      tokens_.boa, tokens_.audio, tokens_.audio, tokens_.audio, tokens_.eoa));
  EXPECT_THAT(prompt.spans,
              ElementsAre(SoftSpan{MediaKind::kImage, 3, 2, 0, 0}, SoftSpan{MediaKind::kAudio, 7, 3, 1, 0}));
  EXPECT_THAT(TokenTypes(prompt), ElementsAre(0, 0, 0, 1, 1, 0, 0, 3, 3, 3, 0));
}

TEST_F(PromptTest, TurnsThatOthersMayBeginWithEndBeforeTheLastQuestion) {
  const auto cuts = [&](const std::string& text) { return TurnCuts(Build(text, {}), tokens_); };
  EXPECT_THAT(cuts("<bos><|turn>a<turn|><|turn>b"), ElementsAre());
  EXPECT_THAT(cuts("<bos><|turn>aaa<turn|><|turn>a<turn|><|turn>b"), ElementsAre(6));
  EXPECT_THAT(cuts("<bos><|turn>a<turn|><|turn>a<turn|><|turn>b<turn|><|turn>a<turn|><|turn>b"), ElementsAre(4, 10));
  EXPECT_THAT(cuts("a"), ElementsAre());
}

TEST_F(PromptTest, FramesCarryTheirTimes) {
  const MediaItem video{MediaKind::kVideo, {{1, 0.0}, {2, 61.99}, {1, 6000}}};
  const Prompt prompt = Build("<bos><|video|>", {video});
  EXPECT_EQ(tokenizer_.Decode(prompt.ids, /*keep_special=*/true),
            "<bos>00:00 <|image><|video|><image|> 01:01 <|image><|video|><|video|><image|> 100:00 "
            "<|image><|video|><image|>");
  ASSERT_EQ(prompt.spans.size(), 3);
  EXPECT_EQ(prompt.spans[1].num_rows, 2);
  EXPECT_EQ(prompt.spans[1].media_idx, 0);
  EXPECT_EQ(prompt.spans[1].frame_idx, 1);
  const std::vector<uint8_t> types = TokenTypes(prompt);
  EXPECT_EQ(std::count(types.begin(), types.end(), 2), 4);
}

TEST_F(PromptTest, StartsWithBosOnce) {
  EXPECT_EQ(Build("<bos>a", {}).ids, Build("a", {}).ids);
  EXPECT_THAT(Build("", {}).ids, ElementsAre(tokens_.bos));
}

TEST_F(PromptTest, UntrustedPlaceholdersAreText) {
  const std::vector<TextSpan> spans = {{"<|image|>", Trust::kUntrusted}, {"<|image|>", Trust::kTrusted}};
  const Prompt prompt = BuildPrompt(tokenizer_, tokens_, spans, std::vector<MediaItem>{Image(4)});
  EXPECT_EQ(std::count(prompt.ids.begin(), prompt.ids.end(), tokens_.image), 4);
  EXPECT_EQ(prompt.spans.size(), 1);
}

TEST_F(PromptTest, PlaceholdersMayBeSplit) {
  const std::vector<TextSpan> spans = {{"<|ima", Trust::kTrusted}, {"ge|>", Trust::kTrusted}};
  const Prompt prompt = BuildPrompt(tokenizer_, tokens_, spans, std::vector<MediaItem>{Image(4)});
  EXPECT_EQ(prompt.ids, Build("<|image|>", {Image(4)}).ids);
  EXPECT_EQ(MessageOf<InputError>([&] { BuildPrompt(tokenizer_, tokens_, spans, {}); }),
            "the prompt has a place for 1 of kind image, but 0 are given");
}

TEST_F(PromptTest, RefusesMediaThatDoNotMatch) {
  EXPECT_EQ(Refusal("<|image|><|image|>", {Image(1)}), "the prompt has a place for 2 of kind image, but 1 are given");
  EXPECT_EQ(Refusal("a", {Clip(1)}), "the prompt has a place for 0 of kind audio, but 1 are given");
  EXPECT_EQ(Refusal("<|image|><|audio|>", {Clip(1), Image(1)}),
            "medium 0 is of kind audio, but its place in the prompt is of kind image");
  EXPECT_EQ(Refusal("<|audio|>", {Clip(0)}), "medium 0 (audio) has no soft tokens: it is too short or too small");
  EXPECT_EQ(Refusal("<|image|>", {{MediaKind::kImage, {}}}), "medium 0 (image) has 0 runs of soft tokens");
  EXPECT_EQ(Refusal("<|image|>", {{MediaKind::kImage, {{1, 0}, {1, 0}}}}),
            "medium 0 (image) has 2 runs of soft tokens");
  EXPECT_EQ(Refusal("<|video|>", {{MediaKind::kVideo, {{1, -1.0}}}}), "medium 0 (video) has a frame at -1.000000 s");
}

int NumRows(const nlohmann::json& grid, int pooling) {
  return grid[0].get<int>() / pooling * (grid[1].get<int>() / pooling);
}

// Media of a golden case, from the sizes that its description states.
std::vector<MediaItem> GoldenMedia(const nlohmann::json& golden_case, int pooling) {
  std::vector<MediaItem> media;
  for (const nlohmann::json& grid : golden_case.value("grid_w_h", nlohmann::json::array())) {
    media.push_back(Image(NumRows(grid, pooling)));
  }
  for (const nlohmann::json& num_rows : golden_case.value("tokens_per_clip", nlohmann::json::array())) {
    media.push_back(Clip(num_rows));
  }
  if (golden_case.contains("metadata")) {
    MediaItem video{MediaKind::kVideo, {}};
    const nlohmann::json& metadata = golden_case.at("metadata");
    for (const nlohmann::json& frame : metadata.at("frames_indices")) {
      video.runs.push_back({60, frame.get<double>() / metadata.at("fps").get<double>()});
    }
    media.push_back(video);
  }
  return media;
}

TEST_F(PromptTest, GoldenCases) {
  PERCEPT_NEED_SHARED();
  int num_cases = 0;
  for (const char* variant : {"e2b", "e4b", "12b", "26b", "31b", "e2b-256"}) {
    const std::filesystem::path folder = SharedDir() / "goldens" / "variants" / variant;
    const GoldenFile golden(folder / "golden.safetensors");
    const Tokenizer tokenizer = Tokenizer::FromFile(folder / "tokenizer.json");
    const SpecialTokens tokens = FindSpecialTokens(tokenizer);
    const int pooling = std::string(variant) == "12b" ? 1 : 3;  // its grid counts pooled patches
    const nlohmann::json description = ReadJson(folder / "golden.json");
    for (const auto& [name, golden_case] : description.at("cases").items()) {
      if (!golden_case.contains("prompt") || !golden.Has(name + "/input_ids")) continue;
      ++num_cases;
      const TextSpan span{golden_case.at("prompt"), Trust::kTrusted};
      const Prompt prompt = BuildPrompt(tokenizer, tokens, std::span(&span, 1), GoldenMedia(golden_case, pooling));
      const std::vector<int64_t> ids(prompt.ids.begin(), prompt.ids.end());
      EXPECT_EQ(ids, golden.Integers(name + "/input_ids")) << variant << " " << name;
      const std::vector<uint8_t> types = TokenTypes(prompt);
      EXPECT_EQ(std::vector<int64_t>(types.begin(), types.end()), golden.Integers(name + "/token_type"))
          << variant << " " << name;
    }
  }
  EXPECT_EQ(num_cases, 19);
}

// The runs of soft tokens in a prompt, which the samples do not list apart.
MediaItem RunsOf(const nlohmann::json& sample, const Ids& ids, int32_t row, MediaKind kind) {
  MediaItem item{kind, {}};
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != row) continue;
    if (ids[i - 1] != row) {
      const double time_s = kind == MediaKind::kVideo ? sample.at("seconds").at(item.runs.size()).get<double>() : 0;
      item.runs.push_back({0, time_s});
    }
    ++item.runs.back().num_rows;
  }
  return item;
}

TEST(EmbeddedModelPrompt, Samples) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "tiny-model";
  const Tokenizer tokenizer = Tokenizer::FromFile(folder / "tokenizer.json");
  const SpecialTokens tokens = FindSpecialTokens(tokenizer);
  for (const nlohmann::json& sample : ReadJson(folder / "samples" / "samples.json")) {
    const Ids ids = sample.at("prompt_ids");
    const std::string name = sample.at("kind");
    const MediaKind kind = name == "image"   ? MediaKind::kImage
                           : name == "video" ? MediaKind::kVideo
                                             : MediaKind::kAudio;
    const int32_t row = kind == MediaKind::kImage   ? tokens.image
                        : kind == MediaKind::kVideo ? tokens.video
                                                    : tokens.audio;
    std::vector<ChatPart> parts = {kind, sample.at("prompt").get<std::string>()};
    if (kind == MediaKind::kAudio) std::swap(parts[0], parts[1]);
    const std::vector<TextSpan> spans = RenderChat({{Role::kUser, parts, ""}}, {});
    const std::vector<MediaItem> media = {RunsOf(sample, ids, row, kind)};
    EXPECT_EQ(BuildPrompt(tokenizer, tokens, spans, media).ids, ids) << sample.at("name");
  }
}

}  // namespace
}  // namespace percept
