// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/weights.h"

#include <string>
#include <string_view>
#include <utility>

#include "encoders/clipped_linear.h"
#include "encoders/vision/patches.h"

namespace percept {
namespace {

const std::string kTower = "model.vision_tower.";

// What some conversions write and no model reads (spec vision 10).
bool IsUnused(std::string_view name) { return name == "model.vision_tower.pooler.scale"; }

class Binder {
 public:
  Binder(const VisionConfig& config, int64_t decoder_hidden, ClaimList& claims, const KernelContext& context)
      : config_(config),
        width_(config.width),
        attention_width_(int64_t{config.num_heads} * config.head_dim),
        decoder_hidden_(decoder_hidden),
        claims_(claims),
        context_(context) {}

  VisionWeights Bind() {
    VisionWeights weights;
    weights.projector = Packed("model.embed_vision.embedding_projection.weight", {decoder_hidden_, width_});
    if (config_.form == VisionForm::kDirectProjection) {
      weights.cells = BindCellWeights(config_, claims_, context_);
      return weights;
    }
    weights.patch_proj = Packed(kTower + "patch_embedder.input_proj.weight", {width_, kPatchValues});
    BindPositions(weights);
    for (int i = 0; i < config_.num_layers; ++i) {
      weights.layers.push_back(BindLayer(kTower + "encoder.layers." + std::to_string(i) + "."));
    }
    if (config_.standardize) {
      weights.std_bias = claims_.ClaimFloats(kTower + "std_bias", {width_});
      weights.std_scale = claims_.ClaimFloats(kTower + "std_scale", {width_});
    }
    claims_.Ignore(IsUnused);
    return weights;
  }

 private:
  VisionLayerWeights BindLayer(const std::string& layer) {
    const int64_t mlp_width = config_.mlp_width;
    const auto norm = [&](const std::string& name, int64_t width) {
      return claims_.ClaimFloats(layer + name + ".weight", {width});
    };
    return {
        .input_norm = norm("input_layernorm", width_),
        .q_proj = Clipped(layer + "self_attn.q_proj", {attention_width_, width_}),
        .k_proj = Clipped(layer + "self_attn.k_proj", {attention_width_, width_}),
        .v_proj = Clipped(layer + "self_attn.v_proj", {attention_width_, width_}),
        .o_proj = Clipped(layer + "self_attn.o_proj", {width_, attention_width_}),
        .q_norm = norm("self_attn.q_norm", config_.head_dim),
        .k_norm = norm("self_attn.k_norm", config_.head_dim),
        .post_attention_norm = norm("post_attention_layernorm", width_),
        .pre_mlp_norm = norm("pre_feedforward_layernorm", width_),
        .gate_proj = Clipped(layer + "mlp.gate_proj", {mlp_width, width_}),
        .up_proj = Clipped(layer + "mlp.up_proj", {mlp_width, width_}),
        .down_proj = Clipped(layer + "mlp.down_proj", {width_, mlp_width}),
        .post_mlp_norm = norm("post_feedforward_layernorm", width_),
    };
  }

  void BindPositions(VisionWeights& weights) {
    const int64_t rows = config_.position_rows;
    const ConstTensor both =
        claims_.Claim(kTower + "patch_embedder.position_embedding_table", {2, rows, width_});  // x, then y
    weights.column_positions = {.bytes = both.bytes, .dtype = both.dtype, .shape = {rows, width_}};
    weights.row_positions = weights.column_positions;
    weights.row_positions.bytes = static_cast<const std::byte*>(both.bytes) + weights.column_positions.size_bytes();
  }

  ops::LinearWeight Clipped(const std::string& name, const Shape& shape) {
    return Packed(name + ".linear.weight", shape,
                  config_.clipped_linears ? ClaimBounds(claims_, name) : ops::ClipBounds{});
  }

  ops::LinearWeight Packed(const std::string& name, const Shape& shape, const ops::ClipBounds& bounds = {}) {
    return ClaimPacked(claims_, context_, name, shape, bounds);
  }

  const VisionConfig& config_;
  const int64_t width_;
  const int64_t attention_width_;
  const int64_t decoder_hidden_;
  ClaimList& claims_;
  const KernelContext& context_;
};

}  // namespace

VisionWeights BindVisionWeights(const VisionConfig& config, int64_t decoder_hidden, ClaimList& claims,
                                const KernelContext& context) {
  return Binder(config, decoder_hidden, claims, context).Bind();
}

}  // namespace percept
