// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/weights.h"

#include <string>

namespace percept {
namespace {

constexpr const char* kTowerPrefix = "model.audio_tower.";

class TowerBinder {
 public:
  TowerBinder(const AudioConfig& config, ClaimList& claims) : config_(config), width_(config.width), claims_(claims) {}

  AudioTowerWeights Bind() {
    AudioTowerWeights tower;
    const std::string subsample = std::string(kTowerPrefix) + "subsample_conv_projection.";
    int64_t in_channels = 1;
    for (size_t i = 0; i < tower.convs.size(); ++i) {
      const int64_t out_channels = config_.conv_channels[i];
      const std::string stage = subsample + "layer" + std::to_string(i) + ".";
      tower.convs[i].weight = claims_.Claim(stage + "conv.weight", {out_channels, in_channels, 3, 3});
      tower.convs[i].norm = claims_.Claim(stage + "norm.weight", {out_channels});
      in_channels = out_channels;
    }
    tower.input_projection =
        claims_.Claim(subsample + "input_proj_linear.weight", {width_, config_.subsampled_width()});
    for (int i = 0; i < config_.num_layers; ++i) {
      tower.layers.push_back(BindLayer(std::string(kTowerPrefix) + "layers." + std::to_string(i) + "."));
    }
    const std::string output = std::string(kTowerPrefix) + "output_proj.";
    tower.output_projection = claims_.Claim(output + "weight", {config_.projector_width, width_});
    tower.output_bias = claims_.Claim(output + "bias", {config_.projector_width});
    return tower;
  }

 private:
  AudioLayer BindLayer(const std::string& layer) {
    return {.feed_forward1 = BindFeedForward(layer + "feed_forward1."),
            .attention = BindAttention(layer),
            .light_conv = BindLightConv(layer + "lconv1d."),
            .feed_forward2 = BindFeedForward(layer + "feed_forward2."),
            .out_norm = Norm(layer + "norm_out")};
  }

  AudioFeedForward BindFeedForward(const std::string& prefix) {
    return {.pre_norm = Norm(prefix + "pre_layer_norm"),
            .up = Linear(prefix + "ffw_layer_1", config_.mlp_width, width_),
            .down = Linear(prefix + "ffw_layer_2", width_, config_.mlp_width),
            .post_norm = Norm(prefix + "post_layer_norm")};
  }

  AudioAttention BindAttention(const std::string& layer) {
    const std::string attention = layer + "self_attn.";
    return {.pre_norm = Norm(layer + "norm_pre_attn"),
            .q = Linear(attention + "q_proj", width_, width_),
            .k = Linear(attention + "k_proj", width_, width_),
            .v = Linear(attention + "v_proj", width_, width_),
            .relative_k = claims_.Claim(attention + "relative_k_proj.weight", {width_, width_}),
            .per_dim_scale = claims_.Claim(attention + "per_dim_scale", {config_.head_dim}),
            .out = Linear(attention + "post", width_, width_),
            .post_norm = Norm(layer + "norm_post_attn")};
  }

  AudioLightConv BindLightConv(const std::string& prefix) {
    return {.pre_norm = Norm(prefix + "pre_layer_norm"),
            .start = Linear(prefix + "linear_start", 2 * width_, width_),
            .depthwise = claims_.Claim(prefix + "depthwise_conv1d.weight", {width_, 1, config_.conv_kernel}),
            .conv_norm = Norm(prefix + "conv_norm"),
            .end = Linear(prefix + "linear_end", width_, width_)};
  }

  ConstTensor Norm(const std::string& name) { return claims_.Claim(name + ".weight", {width_}); }

  AudioLinear Linear(const std::string& name, int64_t out, int64_t in) {
    AudioLinear linear{claims_.Claim(name + ".linear.weight", {out, in}), {}};
    if (config_.clipped_linears) {
      const auto bound = [&](const char* which) { return claims_.ClaimFloats(name + which, Shape{}).front(); };
      linear.bounds = {bound(".input_min"), bound(".input_max"), bound(".output_min"), bound(".output_max")};
    }
    return linear;
  }

  const AudioConfig& config_;
  int64_t width_;
  ClaimList& claims_;
};

}  // namespace

AudioWeights BindAudioWeights(const AudioConfig& config, int64_t decoder_width, ClaimList& claims) {
  AudioWeights weights;
  if (config.form == AudioForm::kTower) weights.tower = TowerBinder(config, claims).Bind();
  weights.projector =
      claims.Claim("model.embed_audio.embedding_projection.weight", {decoder_width, config.projector_width});
  return weights;
}

}  // namespace percept
