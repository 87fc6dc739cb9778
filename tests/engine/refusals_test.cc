// SPDX-License-Identifier: Apache-2.0
// What cannot be opened or answered is said in words that name the file and the reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "engine/model.h"
#include "kernels/weights/safetensors.h"
#include "tests/encoders/png.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// The text of the error that opening a checkpoint ends in.
std::string OpenError(const std::filesystem::path& path) {
  ManualExecutor executor;
  try {
    Model::Open(path, {.engine = {.executor = &executor}});
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "(no error)";
}

// The small checkpoint's weights without the tensors whose names begin so.
void RemoveTensors(const SmallCheckpoint& checkpoint, const std::vector<std::string>& prefixes,
                   const std::string& added = "") {
  SafetensorsWriter writer;
  {
    const auto source = OpenSafetensors(checkpoint.path());
    for (const TensorEntry& entry : source->entries()) {
      const auto begins_name = [&](const std::string& prefix) { return entry.name.starts_with(prefix); };
      if (std::none_of(prefixes.begin(), prefixes.end(), begins_name)) {
        writer.Add(
            entry.name, entry.dtype, entry.shape,
            {static_cast<const char*>(source->Find(entry.name)->bytes), static_cast<size_t>(entry.size_bytes())});
      }
    }
  }
  if (!added.empty()) {
    writer.AddF32(added, {2}, {1, 2});
  }
  checkpoint.folder().Write("model.safetensors", writer.Bytes());
}

// With one tensor left out or added.
void Rewrite(const SmallCheckpoint& checkpoint, const std::string& left_out, const std::string& added) {
  RemoveTensors(checkpoint, left_out.empty() ? std::vector<std::string>() : std::vector{left_out}, added);
}

class RefusalsTest : public testing::Test {
 protected:
  SmallCheckpoint checkpoint_;
};

TEST_F(RefusalsTest, AFolderThatIsNotThere) {
  EXPECT_THAT(OpenError("/no/such/model"),
              AllOf(HasSubstr("/no/such/model: no such file or folder"), HasSubstr("config.json")));
}

TEST_F(RefusalsTest, AFileInsteadOfAFolder) {
  const auto file = checkpoint_.folder().Write("weights.bin", "anything");
  EXPECT_THAT(OpenError(file), HasSubstr("weights.bin: neither a GGUF file nor a folder"));
}

TEST_F(RefusalsTest, AFolderWithoutConfig) {
  checkpoint_.Remove("config.json");
  EXPECT_THAT(OpenError(checkpoint_.path()), HasSubstr("no config.json in this folder"));
}

TEST_F(RefusalsTest, AFolderWithoutWeights) {
  checkpoint_.Remove("model.safetensors");
  EXPECT_THAT(OpenError(checkpoint_.path()), HasSubstr("model.safetensors"));
}

TEST_F(RefusalsTest, AFolderWithoutTokenizer) {
  checkpoint_.Remove("tokenizer.json");
  EXPECT_THAT(OpenError(checkpoint_.path()), HasSubstr("tokenizer.json"));
}

TEST_F(RefusalsTest, ATensorThatIsMissing) {
  Rewrite(checkpoint_, "model.language_model.layers.3.layer_scalar", "");
  EXPECT_THAT(OpenError(checkpoint_.path()),
              AllOf(HasSubstr("model.safetensors"), HasSubstr("model.language_model.layers.3.layer_scalar")));
}

TEST_F(RefusalsTest, ATensorOfTheTowerThatIsMissing) {
  Rewrite(checkpoint_, "model.vision_tower.encoder.layers.1.mlp.up_proj.input_max", "");
  EXPECT_THAT(OpenError(checkpoint_.path()), HasSubstr("model.vision_tower.encoder.layers.1.mlp.up_proj.input_max"));
}

TEST_F(RefusalsTest, ATensorTooMany) {
  Rewrite(checkpoint_, "", "model.language_model.layers.3.extra_norm.weight");
  EXPECT_THAT(OpenError(checkpoint_.path()),
              AllOf(HasSubstr("model.safetensors"), HasSubstr("model.language_model.layers.3.extra_norm.weight")));
}

TEST_F(RefusalsTest, WeightsCutInHalf) {
  std::filesystem::resize_file(checkpoint_.path() / "model.safetensors", 800000);
  EXPECT_THAT(OpenError(checkpoint_.path()), HasSubstr("model.safetensors"));
}

TEST_F(RefusalsTest, EveryMechanismThatIsMissingIsNamed) {
  checkpoint_.Edit("config.json", "\"text_config\": {",
                   "\"quantization_config\": {\"quant_method\": \"awq\"}, \"text_config\": {");
  checkpoint_.Edit("config.json", "\"use_bidirectional_attention\": null", "\"use_bidirectional_attention\": \"all\"");
  EXPECT_THAT(OpenError(checkpoint_.path()),
              AllOf(HasSubstr("config.json: this version cannot run"), HasSubstr("quant_method 'awq'"),
                    HasSubstr("use_bidirectional_attention 'all'")));
}

TEST_F(RefusalsTest, OptionsOutOfRange) {
  ManualExecutor executor;
  const auto error = [&](const EngineOptions& options) -> std::string {
    try {
      Model::Open(checkpoint_.path(), {.engine = options});
    } catch (const ArgumentError& argument) {
      return argument.what();
    }
    return "(no error)";
  };
  EXPECT_THAT(error({}), HasSubstr("needs an executor"));
  EXPECT_THAT(error({.executor = &executor, .context_tokens = 5000}),
              HasSubstr("context_tokens is 5000: the model was made for at most 4096"));
  EXPECT_THAT(error({.executor = &executor, .prefill_chunk_rows = -3}), HasSubstr("prefill_chunk_rows is -3"));
  EXPECT_THAT(error({.executor = &executor, .context_tokens = -1}),
              HasSubstr("context_tokens is -1: expected at least 0"));
}

TEST_F(RefusalsTest, AContextWhoseKeysAndValuesDoNotFitTheirLimit) {
  const TextConfig config = Model::Inspect(checkpoint_.path()).text;
  const int64_t needed = MemoryOf(config, {.context_tokens = 1000}).sequence_bytes;
  ManualExecutor executor;
  EngineOptions options{.executor = &executor, .context_tokens = 1000, .kv_limit_bytes = needed - 1};
  EXPECT_THAT([&] { Model::Open(checkpoint_.path(), {.engine = options}); },
              testing::ThrowsMessage<ArgumentError>("a context of 1000 tokens needs " + std::to_string(needed) +
                                                    " bytes for its keys and values; the limit is " +
                                                    std::to_string(needed - 1)));
  options.kv_limit_bytes = needed;
  EXPECT_EQ(Model::Open(checkpoint_.path(), {.engine = options})->engine().context_tokens(), 1000);
  EXPECT_THAT([&] { MemoryOf(config, {.kv_limit_bytes = 1000}); },
              testing::ThrowsMessage<ArgumentError>(
                  AllOf(HasSubstr("a context of 1 tokens needs"), HasSubstr("the limit is 1000"))));
}

// The weights are not looked at: a tensor is missing.
TEST_F(RefusalsTest, AContextThatDoesNotFitTheMemory) {
  Rewrite(checkpoint_, "model.language_model.layers.3.layer_scalar", "");
  const EngineMemory memory = MemoryOf(Model::Inspect(checkpoint_.path()).text, {.context_tokens = 1000});
  ManualExecutor executor;
  ModelOptions options{.engine = {.executor = &executor, .context_tokens = 1000},
                       .memory_bytes = memory.sequence_bytes + memory.step_bytes - 1};
  EXPECT_THAT([&] { Model::Open(checkpoint_.path(), options); },
              testing::ThrowsMessage<ArgumentError>(
                  "a context of 1000 tokens needs " + std::to_string(memory.sequence_bytes) +
                  " bytes for its keys and values and " + std::to_string(memory.step_bytes) +
                  " for the scratch of a step; there are " + std::to_string(options.memory_bytes)));
  ++options.memory_bytes;
  EXPECT_THROW(Model::Open(checkpoint_.path(), options), CheckpointError);
}

TEST_F(RefusalsTest, AContextThatIsLeftOpenIsWhatTheLimitHolds) {
  const TextConfig config = Model::Inspect(checkpoint_.path()).text;
  const EngineMemory fits = MemoryOf(config, {.context_tokens = 640});
  const EngineMemory memory = MemoryOf(config, {.kv_limit_bytes = fits.sequence_bytes + 100});
  EXPECT_EQ(memory.context_tokens, 640);
  EXPECT_EQ(memory.sequence_bytes, fits.sequence_bytes);
  EXPECT_EQ(MemoryOf(config, {}).context_tokens, 4096);
}

// What GenerateRequest holds is looked at before any of it is worked on: the picture has no pixels to read.
TEST_F(RefusalsTest, APictureForAModelWithoutVision) {
  checkpoint_.Edit("config.json", "\"vision_config\": {", "\"vision_config\": null, \"unused\": {");
  RemoveTensors(checkpoint_, {"model.vision_tower.", "model.embed_vision."});
  OpenModel open(checkpoint_.path());
  GenerateRequest request{.prompt = "What is it?"};
  request.pictures.emplace_back();
  const std::string refusal = checkpoint_.path().string() + ": this model takes no pictures: it has no vision encoder";
  EXPECT_THAT([&] { open.model->Generate(request); }, testing::ThrowsMessage<CheckpointError>(refusal));
  const MediaItem item{MediaKind::kVideo, {{.num_rows = 1, .time_s = 0}}};
  EXPECT_THAT([&] { open.model->BuildPrompt({}, std::span(&item, 1)); },
              testing::ThrowsMessage<CheckpointError>(refusal));
}

TEST_F(RefusalsTest, SoundForAModelWithoutAudio) {
  OpenModel open(checkpoint_.path());
  const std::string refusal = checkpoint_.path().string() + ": this model takes no sound: it has no audio encoder";
  const MediaItem item{MediaKind::kAudio, {{.num_rows = 1, .time_s = 0}}};
  EXPECT_THAT([&] { open.model->BuildPrompt({}, std::span(&item, 1)); },
              testing::ThrowsMessage<CheckpointError>(refusal));
  EXPECT_THAT([&] { open.Hear(std::vector<float>(640)); },
              testing::ThrowsMessage<ArgumentError>("this model has no audio encoder"));
}

class RequestRefusalsTest : public testing::Test {
 protected:
  template <typename ErrorType>
  std::string SubmitError(SequenceRequest request) {
    try {
      open_.engine().SubmitSequence(std::move(request), std::make_shared<SequenceResult>());
    } catch (const ErrorType& error) {
      return error.what();
    }
    return "(no error of that type)";
  }

  SmallCheckpoint checkpoint_;
  OpenModel open_{checkpoint_.path(), Mode::kExact, {.context_tokens = 64}};
};

TEST_F(RequestRefusalsTest, APromptLongerThanTheContext) {
  EXPECT_EQ(SubmitError<InputError>(TextRequest(std::vector<int32_t>(64, 2), 1)),
            "context full: the prompt has 64 tokens, the context holds 64, one of them for an answer");
  EXPECT_FALSE(open_.executor.waiting());
}

// A run of rows that see each other has to come in one step, for which the rings of an ordinary sequence are too small.
TEST_F(RequestRefusalsTest, APromptThatCanNeverFitTheKeysAndValues) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens" / "variants" / "31b";
  const EngineOptions options{.context_tokens = 128, .prefill_chunk_rows = 8};
  const int64_t bytes = MemoryOf(Model::Inspect(folder).text, options).sequence_bytes;
  EngineOptions limited = options;
  limited.kv_limit_bytes = bytes;
  OpenModel small(folder, Mode::kExact, limited);
  const TextConfig& config = small.model->text_config();
  const int32_t image = small.model->special_tokens().image;
  SequenceRequest request = TextRequest(std::vector<int32_t>(100, image), 5);
  request.prompt.spans = {{.num_rows = 100}};
  request.media = {std::make_shared<SoftTokens>(SoftTokens{Matrix(100, config.hidden_size)})};
  try {
    small.engine().SubmitSequence(std::move(request), std::make_shared<SequenceResult>());
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("a prompt of 100 tokens with 5 tokens of answer needs"),
                                    HasSubstr("the limit is " + std::to_string(bytes))));
  }
}

TEST_F(RequestRefusalsTest, TokensOutsideTheVocabulary) {
  EXPECT_EQ(SubmitError<ArgumentError>(TextRequest({2, 512}, 1)),
            "token 512 of the prompt is outside the vocabulary of 512");
}

TEST_F(RequestRefusalsTest, NothingToSayOrToAnswer) {
  EXPECT_THAT(SubmitError<ArgumentError>(TextRequest({}, 1)), HasSubstr("the number of prompt tokens is 0"));
  EXPECT_THAT(SubmitError<ArgumentError>(TextRequest({2}, 0)), HasSubstr("max_tokens is 0"));
}

TEST_F(RequestRefusalsTest, MediaThatDoNotFitTheirPlaces) {
  const int32_t image = open_.model->special_tokens().image;
  SequenceRequest request = TextRequest({2, image, image, 40}, 1);
  request.prompt.spans = {{.first_row = 1, .num_rows = 2}};
  EXPECT_THAT(SubmitError<ArgumentError>(request), HasSubstr("places for 1 media; 0 were given"));
  request.media = {std::make_shared<SoftTokens>(SoftTokens{Matrix(3, 64)})};
  EXPECT_THAT(SubmitError<ArgumentError>(request),
              HasSubstr("medium 1 has 3 soft tokens of width 64; its place in the prompt has 2 of width 64"));
  request.prompt.spans[0].first_row = 2;
  EXPECT_THAT(SubmitError<ArgumentError>(request), HasSubstr("row 3 of the prompt, whose token 40 is no placeholder"));
  request.prompt.spans[0].first_row = 3;
  EXPECT_THAT(SubmitError<ArgumentError>(request), HasSubstr("rows 3 to 5 overlap others or lie outside"));
}

TEST_F(RequestRefusalsTest, APictureThatIsNotAsPreprocessingMakesIt) {
  ImagePatches patches{.grid = {.columns = 6, .rows = 3}, .values = Matrix(9, kPatchValues), .positions = {}};
  EXPECT_THROW(
      {
        try {
          open_.engine().SubmitPicture(std::move(patches), std::make_shared<MediumResult>());
        } catch (const ArgumentError& error) {
          EXPECT_STREQ(error.what(), "a picture whose patches do not fill its grid of 6 x 3");
          throw;
        }
      },
      ArgumentError);
}

TEST_F(RequestRefusalsTest, AnUnknownBudget) {
  const TestImage png = ReadPng(TestDataDir() / "tiny-samples" / "exit_sign.png");
  try {
    open_.model->PreparePicture(png.view(), 100);
    FAIL() << "no error";
  } catch (const ArgumentError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("100"), HasSubstr("70, 140, 280, 560")));
  }
}

}  // namespace
}  // namespace percept
