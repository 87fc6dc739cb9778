// SPDX-License-Identifier: Apache-2.0
// Drafters in GGUF files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kernels/core/error.h"
#include "tests/engine/engine_fixture.h"
#include "tests/engine/gguf_variant.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/golden_file.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::shared_ptr<SequenceResult> Answer(const std::filesystem::path& model, const std::filesystem::path& drafter,
                                       const std::filesystem::path& golden) {
  OpenModel open(model, Mode::kExact, {.max_draft_tokens = 4, .adaptive_drafts = false}, {}, drafter);
  const std::vector<int64_t> ids = GoldenFile(golden / "golden.safetensors").Integers("text/input_ids");
  auto answer = std::make_shared<SequenceResult>();
  open.engine().SubmitSequence(TextRequest({ids.begin(), ids.end()}, 60), answer);
  open.executor.RunAll();
  return answer;
}

std::string OpenError(const std::filesystem::path& model, const std::filesystem::path& drafter) {
  try {
    OpenModel(model, Mode::kExact, {}, {}, drafter);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// The clusters of its head are not in the file: it looks at all tokens.
TEST(GgufDrafterTest, DraftsForItsModelWithAPlainHead) {
  const SmallCheckpoint checkpoint;
  const std::filesystem::path golden = TestDataDir() / "e2b";
  const GgufDrafter drafter(TestDataDir() / "e2b-drafter", golden / "tokenizer.json");
  const auto plain = Answer(checkpoint.path(), {}, golden);
  const auto drafted = Answer(checkpoint.path(), drafter.file(), golden);
  EXPECT_EQ(drafted->ids, plain->ids);
  EXPECT_GT(drafted->stats.num_accepted_tokens, 30);
  EXPECT_EQ(Answer(checkpoint.path(), drafter.folder(), golden)->ids, plain->ids);
}

TEST(GgufDrafterTest, DraftsWhatTheSafetensorsFilesDo) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path model = SharedDir() / "goldens" / "variants" / "31b";
  const std::filesystem::path folder = SharedDir() / "goldens" / "drafters" / "31b";
  const GgufDrafter drafter(folder, model / "tokenizer.json");
  const auto expected = Answer(model, folder, model);
  const auto drafted = Answer(model, drafter.file(), model);
  EXPECT_EQ(drafted->ids, expected->ids);
  EXPECT_EQ(drafted->stats.num_drafted_tokens, expected->stats.num_drafted_tokens);
  EXPECT_EQ(drafted->stats.num_accepted_tokens, expected->stats.num_accepted_tokens);
  EXPECT_GT(drafted->stats.num_accepted_tokens, 0);
}

TEST(GgufDrafterTest, IsRefusedByNameWhereItDoesNotBelong) {
  const SmallCheckpoint checkpoint;
  const GgufDrafter drafter(TestDataDir() / "e2b-drafter", TestDataDir() / "e2b" / "tokenizer.json");
  EXPECT_THAT(
      OpenError(EmbeddedModelDir(), drafter.file()),
      AllOf(HasSubstr("drafter.gguf: the drafter of another model than "), HasSubstr("made for width 64, not 256")));
  EXPECT_THAT(OpenError(drafter.folder(), {}),
              HasSubstr("drafter.gguf: a drafter (backbone_hidden_size), which reads the keys and values of another"));
  std::filesystem::copy_file(drafter.file(), drafter.folder() / "b.gguf");
  EXPECT_THAT(OpenError(checkpoint.path(), drafter.folder()),
              HasSubstr(": 2 GGUF files of drafters, b.gguf and drafter.gguf: name one of them"));
}

TEST(GgufDrafterTest, ItsCardSaysWhatItIs) {
  const GgufDrafter drafter(TestDataDir() / "e2b-drafter", TestDataDir() / "e2b" / "tokenizer.json");
  const ModelCard card = Model::Inspect(drafter.file());
  EXPECT_EQ(card.mechanisms.front(), "a drafter (MTP assistant) for a model of width 64");
  EXPECT_EQ(card.text.drafter, (DrafterConfig{.backbone_hidden_size = 64}));
}

}  // namespace
}  // namespace percept
