// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/model.h"
#include "tests/engine/engine_fixture.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(ModelCardTest, TheEmbeddedModel) {
  const ModelCard card = Model::Inspect(EmbeddedModelDir() / "");
  EXPECT_EQ(card.name, "percept-tiny");
  EXPECT_EQ(card.num_tensors, 603);
  EXPECT_EQ(card.file_bytes, 20631292);
  EXPECT_EQ(card.num_parameters, 10277758);
  EXPECT_THAT(card.dtypes, UnorderedElementsAre(Pair("BF16", card.num_parameters)));
  EXPECT_EQ(card.text.num_layers(), 6);
  EXPECT_EQ(card.num_vision_layers, 6);
  EXPECT_EQ(card.num_audio_layers, 4);
  EXPECT_EQ(card.default_image_budget, 70);
  EXPECT_THAT(card.unsupported, IsEmpty());
}

TEST(ModelCardTest, TellsTheMemoryOfAnEngineBeforeWeightsAreRead) {
  const ModelCard card = Model::Inspect(EmbeddedModelDir());
  const EngineMemory memory = MemoryOf(card.text, {.prefill_chunk_rows = 256, .kv_limit_bytes = 1 << 25});
  EXPECT_EQ(memory.context_tokens, 8192);
  EXPECT_EQ(memory.kv_limit_bytes, 1 << 25);
  // One full layer of 2 x 128 floats over the context, two rings of 2 x 64 over the window of 512 and a chunk; K and V.
  EXPECT_EQ(memory.sequence_bytes, 8192 * 2 * 256 * 4 + 2 * (512 - 1 + 256) * 2 * 128 * 4);
  EXPECT_GT(memory.step_bytes, 256 * 256 * 4);
  EXPECT_THAT([&] { MemoryOf(card.text, {.context_tokens = 8193}); },
              testing::ThrowsMessage<ArgumentError>(HasSubstr("made for at most 8192")));
}

TEST(ModelCardTest, ADrafterAddsItsScratchAndTheRowsItGuesses) {
  const SmallCheckpoint checkpoint;
  const ModelCard card = Model::Inspect(checkpoint.path(), {}, TestDataDir() / "e2b-drafter");
  ASSERT_TRUE(card.drafter.has_value());
  EXPECT_EQ(card.drafter->num_parameters, 69748);
  const EngineOptions options{.prefill_chunk_rows = 4, .max_draft_tokens = 6};
  const EngineMemory plain = MemoryOf(card.text, options);
  const EngineMemory drafting = MemoryOf(card.text, options, &card.drafter->text);
  // 32 rows of logits at the least; four rings over a window of 16 and 7 rows instead of 4, keys and values of 16.
  EXPECT_GT(drafting.step_bytes, plain.step_bytes + 32 * 512 * 4);
  EXPECT_EQ(drafting.sequence_bytes - plain.sequence_bytes, 4 * 3 * 2 * 16 * 4);
}

struct Variant {
  const char* folder;
  int num_layers;
  const char* unsupported;  // a part of what the card says; empty: it runs
};

// What a checkpoint is can be told without being able to run it.
TEST(ModelCardTest, EveryVariantHasACardAndSaysWhatIsMissing) {
  PERCEPT_NEED_SHARED();
  for (const Variant& variant :
       {Variant{"e2b", 10, ""}, Variant{"e4b", 12, ""}, Variant{"e2b-256", 4, ""}, Variant{"12b", 12, ""},
        Variant{"26b", 12, ""}, Variant{"31b", 12, ""}, Variant{"31b-w4a16", 12, ""}}) {
    const ModelCard card = Model::Inspect(SharedDir() / "goldens" / "variants" / variant.folder);
    EXPECT_EQ(card.text.num_layers(), variant.num_layers) << variant.folder;
    EXPECT_EQ(card.unsupported.empty(), variant.unsupported[0] == '\0') << variant.folder << ": " << card.unsupported;
    EXPECT_THAT(card.unsupported, HasSubstr(variant.unsupported)) << variant.folder;
  }
}

// Tensors that a released file carries without use do not stand in the way.
TEST(ModelCardTest, AFileWithKeysOfLayersThatShareThemOpens) {
  PERCEPT_NEED_SHARED();
  OpenModel open(SharedDir() / "goldens" / "variants" / "e4b");
  EXPECT_EQ(open.model->text_config().num_layers(), 12);
}

TEST(ModelCardTest, AnOpenModelHasTheSameCard) {
  const SmallCheckpoint checkpoint;
  OpenModel open(checkpoint.path());
  EXPECT_EQ(open.model->card().num_tensors, Model::Inspect(checkpoint.path()).num_tensors);
  EXPECT_EQ(open.model->card().text, open.model->text_config());
}

}  // namespace
}  // namespace percept
