// SPDX-License-Identifier: Apache-2.0
#include "engine/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "kernels/weights/safetensors.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;

struct Verdict {
  std::vector<std::string> problems, passed;
};

Verdict Verify(const std::filesystem::path& path, const std::filesystem::path& drafter = {}) {
  Verdict verdict;
  verdict.problems = VerifyModel(path, {}, drafter, [&](const std::string& part) { verdict.passed.push_back(part); });
  return verdict;
}

// Writes the checkpoint's weights anew, the bytes of one tensor replaced by `byte` from `begin` on.
void Spoil(const SmallCheckpoint& checkpoint, const std::string& name, size_t begin, char byte) {
  SafetensorsWriter writer;
  {
    const auto source = OpenSafetensors(checkpoint.path());
    for (const TensorEntry& entry : source->entries()) {
      std::string bytes(static_cast<const char*>(source->Find(entry.name)->bytes),
                        static_cast<size_t>(entry.size_bytes()));
      if (entry.name == name) std::memset(bytes.data() + begin, byte, bytes.size() - begin);
      writer.Add(entry.name, entry.dtype, entry.shape, bytes);
    }
  }
  checkpoint.folder().Write("model.safetensors", writer.Bytes());
}

constexpr const char* kTensor = "model.language_model.layers.3.mlp.up_proj.weight";

TEST(VerifyTest, AWholeCheckpointPassesEveryPart) {
  const Verdict verdict = Verify(EmbeddedModelDir());
  EXPECT_THAT(verdict.problems, IsEmpty());
  EXPECT_THAT(verdict.passed,
              ElementsAre(HasSubstr("files: 603 tensors"), HasSubstr("all values finite"), HasSubstr("tokenizer: "),
                          HasSubstr("shapes: "), HasSubstr("prompt: "), HasSubstr("picture: 4 soft tokens")));
}

TEST(VerifyTest, ADrafterIsVerifiedWithItsModel) {
  const SmallCheckpoint checkpoint;
  const std::filesystem::path drafter = TestDataDir() / "e2b-drafter";
  const Verdict verdict = Verify(checkpoint.path(), drafter);
  EXPECT_THAT(verdict.problems, IsEmpty());
  EXPECT_THAT(verdict.passed,
              IsSupersetOf({HasSubstr("drafter: 50 tensors in 147640 bytes"), HasSubstr("drafter: 3 tokens drafted")}));
  const TempFolder spoilt;
  std::filesystem::copy(drafter, spoilt.path(), std::filesystem::copy_options::recursive);
  std::string bytes = ReadText(drafter / "model.safetensors");
  bytes.replace(bytes.size() - 4, 4, "\xFF\xFF\xFF\xFF");  // the last tensor's
  spoilt.Write("model.safetensors", bytes);
  EXPECT_THAT(Verify(checkpoint.path(), spoilt.path()).problems,
              ElementsAre(HasSubstr("model.safetensors: tensor 'pre_projection.weight' holds a value that is no")));
  EXPECT_THAT(Verify(EmbeddedModelDir(), drafter).problems, ElementsAre(HasSubstr("the drafter of another model")));
}

TEST(VerifyTest, AValueThatIsNoNumberIsNamed) {
  const SmallCheckpoint checkpoint;
  Spoil(checkpoint, kTensor, 2 * (64 + 3), '\xFF');
  EXPECT_THAT(Verify(checkpoint.path()).problems,
              ElementsAre(HasSubstr("model.safetensors: tensor '" + std::string(kTensor) +
                                    "' holds a value that is no finite number, in row 1 at 3")));
}

TEST(VerifyTest, AHoleIsNamed) {
  const SmallCheckpoint checkpoint;
  Spoil(checkpoint, kTensor, 0, '\0');
  EXPECT_THAT(Verify(checkpoint.path()).problems,
              ElementsAre(HasSubstr("tensor '" + std::string(kTensor) + "' holds nothing but zeros")));
}

TEST(VerifyTest, WhatTheCheckpointLacksIsNamed) {
  const SmallCheckpoint checkpoint;
  checkpoint.Edit("config.json", "\"num_hidden_layers\": 10", "\"num_hidden_layers\": 11");
  EXPECT_THAT(Verify(checkpoint.path()).problems, ElementsAre(HasSubstr("config.json")));
  checkpoint.Remove("config.json");
  EXPECT_THAT(Verify(checkpoint.path()).problems, ElementsAre(HasSubstr("no config.json")));
}

}  // namespace
}  // namespace percept
