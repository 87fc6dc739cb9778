// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "decoder/config/generation_config.h"
#include "decoder/config/processor_config.h"
#include "kernels/core/error.h"
#include "tests/decoder/text_support.h"

namespace percept {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

GenerationConfig Generation(const char* json) { return ParseGenerationConfig(json, "generation_config.json"); }

TEST(GenerationConfig, OfCheckpoints) {
  const GenerationConfig plain = ReadGenerationConfig(TestDataDir() / "config" / "e2b" / "generation_config.json");
  EXPECT_TRUE(plain.do_sample);
  EXPECT_EQ(plain.temperature, 1.0);
  EXPECT_EQ(plain.top_k, 64);
  EXPECT_EQ(plain.top_p, 0.95);
  EXPECT_THAT(plain.eos_ids, ElementsAre(1, 9, 16));
  EXPECT_THAT(plain.suppress_ids, IsEmpty());
  const GenerationConfig suppressing =
      ReadGenerationConfig(TestDataDir() / "config" / "12b" / "generation_config.json");
  EXPECT_THAT(suppressing.suppress_ids, ElementsAre(508, 509));
}

TEST(GenerationConfig, SilenceMeansGreedy) {
  const GenerationConfig config = Generation(R"({"eos_token_id": 1})");
  EXPECT_FALSE(config.do_sample);
  EXPECT_THAT(config.eos_ids, ElementsAre(1));
}

TEST(GenerationConfig, NamesTheKey) {
  const auto message = [](const char* json) { return MessageOf<CheckpointError>([&] { Generation(json); }); };
  EXPECT_THAT(message(R"({"do_sample": 1})"), HasSubstr("generation_config.json: do_sample is not a boolean but 1"));
  EXPECT_THAT(message(R"({"top_p": 1.5})"), HasSubstr("top_p is outside (0, 1]"));
  EXPECT_THAT(message(R"({"temperature": "hot"})"), HasSubstr("temperature is not a number but \"hot\""));
  EXPECT_THAT(message(R"({"suppress_tokens": [-1]})"), HasSubstr("suppress_tokens holds -1, which is no token id"));
}

TEST(ProcessorConfig, OfCheckpoints) {
  const ProcessorConfig config = ReadProcessorConfig(TestDataDir() / "config" / "e2b" / "processor_config.json");
  EXPECT_EQ(config, ProcessorConfig());
  const ProcessorConfig own =
      ParseProcessorConfig(R"({"image_processor": {"max_soft_tokens": 70}, "audio_seq_length": 75})", "p.json");
  EXPECT_EQ(own.image_budget, 70);
  EXPECT_EQ(own.max_audio_tokens, 75);
  EXPECT_EQ(own.video_budget, ProcessorConfig().video_budget);
}

TEST(ProcessorConfig, NamesTheKey) {
  EXPECT_THAT(
      MessageOf<CheckpointError>([] { ParseProcessorConfig(R"({"image_processor": {}})", "processor_config.json"); }),
      HasSubstr("processor_config.json: image_processor.max_soft_tokens is missing"));
  EXPECT_THAT(MessageOf<CheckpointError>([] { ParseProcessorConfig(R"({"image_processor": 3})", "p.json"); }),
              HasSubstr("p.json: image_processor is not an object but 3"));
}

}  // namespace
}  // namespace percept
