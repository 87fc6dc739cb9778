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

// What a checkpoint is can be told without being able to run it.
TEST(ModelCardTest, AVariantThatCannotBeRunYet) {
  PERCEPT_NEED_SHARED();
  const ModelCard card = Model::Inspect(SharedDir() / "goldens" / "variants" / "26b");
  EXPECT_EQ(card.text.num_layers(), 12);
  EXPECT_THAT(card.unsupported, HasSubstr("mixture-of-experts"));
  EXPECT_THAT(card.unsupported, HasSubstr("config.json"));
}

TEST(ModelCardTest, AnOpenModelHasTheSameCard) {
  const SmallCheckpoint checkpoint;
  OpenModel open(checkpoint.path());
  EXPECT_EQ(open.model->card().num_tensors, Model::Inspect(checkpoint.path()).num_tensors);
  EXPECT_EQ(open.model->card().text, open.model->text_config());
}

}  // namespace
}  // namespace percept
