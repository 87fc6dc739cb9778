// SPDX-License-Identifier: Apache-2.0
// A tower of a few numbers, written by hand: what Bind refuses, and batches that need no reference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "encoders/vision/tower.h"
#include "encoders/vision/vision_batch.h"
#include "kernels/core/error.h"
#include "kernels/weights/safetensors.h"
#include "tests/support/random_matrix.h"
#include "tests/support/safetensors_bytes.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_context.h"

namespace percept {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr int64_t kHidden = 12;  // of the decoder

VisionConfig SmallConfig() {
  VisionConfig config;
  config.width = 16;
  config.position_rows = 9;
  config.rms_norm_eps = 1e-6;
  config.num_layers = 2;
  config.mlp_width = 24;
  config.num_heads = 2;
  config.head_dim = 8;
  config.rope_theta = 100.0;
  config.clipped_linears = true;
  config.standardize = true;
  return config;
}

using Tensors = std::map<std::string, std::vector<int64_t>>;  // shapes by name

Tensors SmallTensors() {
  Tensors tensors = {{"model.vision_tower.patch_embedder.input_proj.weight", {16, 768}},
                     {"model.vision_tower.patch_embedder.position_embedding_table", {2, 9, 16}},
                     {"model.vision_tower.std_bias", {16}},
                     {"model.vision_tower.std_scale", {16}},
                     {"model.embed_vision.embedding_projection.weight", {kHidden, 16}}};
  for (const std::string i : {"0", "1"}) {
    const std::string layer = "model.vision_tower.encoder.layers." + i + ".";
    for (const char* norm :
         {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"}) {
      tensors[layer + norm + ".weight"] = {16};
    }
    tensors[layer + "self_attn.q_norm.weight"] = {8};
    tensors[layer + "self_attn.k_norm.weight"] = {8};
    const std::map<std::string, std::vector<int64_t>> linears = {
        {"self_attn.q_proj", {16, 16}}, {"self_attn.k_proj", {16, 16}}, {"self_attn.v_proj", {16, 16}},
        {"self_attn.o_proj", {16, 16}}, {"mlp.gate_proj", {24, 16}},    {"mlp.up_proj", {24, 16}},
        {"mlp.down_proj", {16, 24}}};
    for (const auto& [linear, shape] : linears) {
      tensors[layer + linear + ".linear.weight"] = shape;
      for (const char* bound : {"input_min", "input_max", "output_min", "output_max"}) {
        tensors[layer + linear + "." + bound] = {};
      }
    }
  }
  return tensors;
}

// Bounds are -4 and 4, everything else is random.
std::string CheckpointBytes(const Tensors& tensors, const std::map<std::string, float>& bounds = {}) {
  SafetensorsWriter writer;
  std::mt19937 random(7);
  std::normal_distribution<float> values(0.0f, 0.3f);
  for (const auto& [name, shape] : tensors) {
    int64_t count = 1;
    for (const int64_t dim : shape) {
      count *= dim;
    }
    std::vector<float> data(static_cast<size_t>(count));
    for (float& value : data) {
      value = values(random);
    }
    if (shape.empty()) {
      data[0] = name.ends_with("min") ? -4.0f : 4.0f;
      if (const auto it = bounds.find(name); it != bounds.end()) {
        data[0] = it->second;
      }
    }
    writer.AddBF16(name, shape, data);
  }
  return writer.Bytes();
}

class TowerBind : public testing::Test {
 protected:
  void Write(const Tensors& tensors, const std::map<std::string, float>& bounds = {}) {
    source_ = OpenSafetensors(folder_.Write("model.safetensors", CheckpointBytes(tensors, bounds)));
  }

  VisionTower Bind(const VisionConfig& config = SmallConfig()) const {
    ClaimList claims(*source_);
    VisionTower tower = VisionTower::Bind(config, kHidden, claims, TestContext(Mode::kExact));
    claims.RequireAllClaimed();
    return tower;
  }

  void ExpectRefusal(const std::string& text, const VisionConfig& config = SmallConfig()) const {
    EXPECT_THAT([&] { Bind(config); },
                ThrowsMessage<CheckpointError>(AllOf(HasSubstr("model.safetensors: "), HasSubstr(text))));
  }

  const TempFolder folder_;
  std::unique_ptr<SafetensorsSource> source_;
};

TEST_F(TowerBind, EveryTensorIsClaimed) {
  Write(SmallTensors());
  const VisionTower tower = Bind();
  EXPECT_EQ(tower.num_layers(), 2);
  EXPECT_EQ(tower.decoder_hidden(), kHidden);
  EXPECT_EQ(tower.weights().layers[1].down_proj.clip().input_min, -4.0f);
  EXPECT_EQ(tower.rope_frequencies().size(), 2u);
}

TEST_F(TowerBind, EveryTensorIsNeeded) {
  const Tensors whole = SmallTensors();
  for (const auto& [name, shape] : whole) {
    Tensors tensors = whole;
    tensors.erase(name);
    Write(tensors);
    ExpectRefusal("tensor '" + name + "' is missing");
  }
}

TEST_F(TowerBind, EveryShapeIsChecked) {
  const Tensors whole = SmallTensors();
  for (const auto& [name, shape] : whole) {
    Tensors tensors = whole;
    tensors[name].push_back(1);
    Write(tensors);
    ExpectRefusal("tensor '" + name + "' has shape [");
  }
}

TEST_F(TowerBind, ATensorTooManyIsNamed) {
  Tensors tensors = SmallTensors();
  tensors["model.vision_tower.encoder.layers.2.input_layernorm.weight"] = {16};
  Write(tensors);
  ExpectRefusal("1 tensor is not part of this model: 'model.vision_tower.encoder.layers.2.input_layernorm.weight'");
}

TEST_F(TowerBind, AScaleOfThePoolerThatNobodyReadsMayBeThere) {
  Tensors tensors = SmallTensors();
  tensors["model.vision_tower.pooler.scale"] = {1};
  Write(tensors);
  EXPECT_NO_THROW(Bind());
}

TEST_F(TowerBind, BoundsOfATowerThatDoesNotClipAreTooMany) {
  Write(SmallTensors());
  VisionConfig config = SmallConfig();
  config.clipped_linears = false;
  ExpectRefusal("56 tensors are not part of this model", config);
}

TEST_F(TowerBind, BoundsOutOfOrderAreRefused) {
  const std::string linear = "model.vision_tower.encoder.layers.1.mlp.up_proj";
  Write(SmallTensors(), {{linear + ".output_min", 5.0f}});
  ExpectRefusal("the clip bounds of '" + linear + "' leave no value between them");
  Write(SmallTensors(), {{linear + ".input_max", std::numeric_limits<float>::quiet_NaN()}});
  ExpectRefusal("the clip bounds of '" + linear + "' leave no value between them");
}

TEST_F(TowerBind, APictureBeyondThePositionTableIsRefused) {
  Write(SmallTensors());
  const VisionTower tower = Bind();
  EXPECT_NO_THROW(tower.RequireFits({.columns = 9, .rows = 9}));
  EXPECT_THAT([&] { tower.RequireFits({.columns = 12, .rows = 3}); },
              ThrowsMessage<InputError>(HasSubstr("a picture of 12x3 patches is too long for the model, which knows 9 "
                                                  "positions")));
}

ImagePatches RandomPicture(int64_t columns, int64_t rows, uint32_t seed) {
  ImagePatches picture;
  picture.grid = {.columns = columns, .rows = rows};
  picture.values = RandomMatrix(picture.grid.num_patches(), kPatchValues, seed, 0.3f);
  for (int32_t y = 0; y < rows; ++y) {
    for (int32_t x = 0; x < columns; ++x) {
      picture.positions.push_back({x, y});
    }
  }
  return picture;
}

std::vector<float> RunAll(const VisionTower& tower, VisionBatch& batch, const ImagePatches& picture) {
  const ImagePatches* pictures[] = {&picture};
  batch.Begin(pictures);
  for (int64_t layer = 0; layer < tower.num_layers(); ++layer) {
    batch.RunLayer(layer);
  }
  const Matrix soft_tokens(picture.grid.num_soft_tokens(), tower.decoder_hidden());
  const MatrixView views[] = {soft_tokens.view()};
  batch.Finish(views);
  return Values(soft_tokens.view());
}

TEST_F(TowerBind, ABatchIsUsedAgainAndGrows) {
  Write(SmallTensors());
  const VisionTower tower = Bind();
  const ImagePatches small = RandomPicture(3, 6, 1);
  const ImagePatches large = RandomPicture(9, 9, 2);
  VisionBatch batch(tower, 18);
  const std::vector<float> first = RunAll(tower, batch, small);
  EXPECT_THROW(RunAll(tower, batch, large), InternalError) << "more patches than there is scratch for";
  batch.Reserve(81);
  EXPECT_EQ(batch.max_patches(), 81);
  const std::vector<float> grown = RunAll(tower, batch, large);
  const size_t bytes = batch.scratch_bytes();
  batch.Reserve(18);
  EXPECT_EQ(batch.scratch_bytes(), bytes) << "a batch never shrinks";
  EXPECT_EQ(RunAll(tower, batch, small), first);
  EXPECT_EQ(RunAll(tower, batch, large), grown);
}

TEST_F(TowerBind, MismatchedPicturesAreABug) {
  Write(SmallTensors());
  const VisionTower tower = Bind();
  VisionBatch batch(tower, 18);
  ImagePatches picture = RandomPicture(3, 6, 1);
  picture.positions.pop_back();
  EXPECT_THROW(RunAll(tower, batch, picture), InternalError);
  picture = RandomPicture(3, 3, 1);
  const ImagePatches* pictures[] = {&picture};
  batch.Begin(pictures);
  EXPECT_THROW(batch.Finish({}), InternalError);
}

}  // namespace
}  // namespace percept
