// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/weights.h"

#include <cstring>
#include <string>
#include <utility>

#include "encoders/audio/relative_keys.h"
#include "encoders/clipped_linear.h"

namespace percept {
namespace {

constexpr const char* kTowerPrefix = "model.audio_tower.";
constexpr int64_t kKernelSide = 3;

// The in channels of each place of a kernel side by side, as the rows of a layer before have them:
// [out, in, 3, 3] to [out, 3, 3, in].
Buffer ChannelsLast(const ConstTensor& kernel) {
  constexpr int64_t kPlaces = kKernelSide * kKernelSide;
  const auto value_bytes = static_cast<size_t>(BytesOf(kernel.dtype, 1));
  Buffer turned(static_cast<size_t>(kernel.size_bytes()));
  const auto* from = static_cast<const std::byte*>(kernel.bytes);
  std::byte* to = turned.get();
  for (int64_t out = 0; out < kernel.shape[0]; ++out) {
    for (int64_t place = 0; place < kPlaces; ++place) {
      for (int64_t in = 0; in < kernel.shape[1]; ++in, to += value_bytes) {
        const int64_t value = (out * kernel.shape[1] + in) * kPlaces + place;
        std::memcpy(to, from + static_cast<size_t>(value) * value_bytes, value_bytes);
      }
    }
  }
  return turned;
}

class Binder {
 public:
  // Without a context it claims the tensors and leaves the matrices empty.
  Binder(const AudioConfig& config, ClaimList& claims, const KernelContext* context)
      : config_(config), width_(config.width), claims_(claims), context_(context) {}

  ops::LinearWeight BindProjector(int64_t decoder_width) {
    return Packed("model.embed_audio.embedding_projection.weight", {decoder_width, config_.projector_width});
  }

  AudioEnds BindEnds(int64_t decoder_width) {
    AudioEnds ends;
    const std::string subsample = std::string(kTowerPrefix) + "subsample_conv_projection.";
    int64_t in_channels = 1;
    for (size_t i = 0; i < ends.convs.size(); ++i) {
      const int64_t out_channels = config_.conv_channels[i];
      const std::string stage = subsample + "layer" + std::to_string(i) + ".";
      ends.convs[i].kernel = Kernel(stage + "conv.weight", out_channels, in_channels);
      ends.convs[i].norm = claims_.ClaimFloats(stage + "norm.weight", {out_channels});
      in_channels = out_channels;
    }
    ends.input_projection = Packed(subsample + "input_proj_linear.weight", {width_, config_.subsampled_width()});
    const std::string output = std::string(kTowerPrefix) + "output_proj.";
    ends.output_projection = Packed(output + "weight", {config_.projector_width, width_});
    ends.output_bias = claims_.ClaimFloats(output + "bias", {config_.projector_width});
    ends.projector = BindProjector(decoder_width);
    return ends;
  }

  AudioLayer BindLayer(int64_t layer_idx) {
    const std::string layer = std::string(kTowerPrefix) + "layers." + std::to_string(layer_idx) + ".";
    return {.feed_forward1 = BindFeedForward(layer + "feed_forward1."),
            .attention = BindAttention(layer),
            .light_conv = BindLightConv(layer + "lconv1d."),
            .feed_forward2 = BindFeedForward(layer + "feed_forward2."),
            .out_norm = Norm(layer + "norm_out")};
  }

 private:
  AudioFeedForward BindFeedForward(const std::string& prefix) {
    std::vector<float> post_norm = Norm(prefix + "post_layer_norm");
    for (float& weight : post_norm) weight *= config_.residual_weight;
    return {.pre_norm = Norm(prefix + "pre_layer_norm"),
            .up = Linear(prefix + "ffw_layer_1", config_.mlp_width, width_),
            .down = Linear(prefix + "ffw_layer_2", width_, config_.mlp_width),
            .post_norm = std::move(post_norm)};
  }

  AudioAttention BindAttention(const std::string& layer) {
    const std::string attention = layer + "self_attn.";
    return {.pre_norm = Norm(layer + "norm_pre_attn"),
            .q = Linear(attention + "q_proj", width_, width_),
            .k = Linear(attention + "k_proj", width_, width_),
            .v = Linear(attention + "v_proj", width_, width_),
            .query_scale = QueryScale(claims_.ClaimFloats(attention + "per_dim_scale", {config_.head_dim})),
            .relative_keys = BindRelativeKeys(attention + "relative_k_proj.weight"),
            .out = Linear(attention + "post", width_, width_),
            .post_norm = Norm(layer + "norm_post_attn")};
  }

  AudioLightConv BindLightConv(const std::string& prefix) {
    return {.pre_norm = Norm(prefix + "pre_layer_norm"),
            .start = Linear(prefix + "linear_start", 2 * width_, width_),
            .taps = BindTaps(prefix + "depthwise_conv1d.weight"),
            .conv_norm = Norm(prefix + "conv_norm"),
            .end = Linear(prefix + "linear_end", width_, width_)};
  }

  std::vector<float> Norm(const std::string& name) { return claims_.ClaimFloats(name + ".weight", {width_}); }

  ops::LinearWeight Kernel(const std::string& name, int64_t out, int64_t in) {
    ConstTensor kernel = claims_.Claim(name, {out, in, kKernelSide, kKernelSide});
    if (context_ == nullptr) return Unread(name);
    const Buffer turned = ChannelsLast(kernel);
    kernel.bytes = turned.get();
    kernel.shape = {out, kKernelSide * kKernelSide * in};
    return ops::LinearWeight::Packed(*context_, kernel);
  }

  Matrix BindRelativeKeys(const std::string& name) {
    const ConstTensor projection = claims_.Claim(name, {width_, width_});
    Matrix keys = context_ == nullptr ? Matrix() : RelativeKeys(config_, projection, context_->isa);
    claims_.ReleasePages(name);
    return keys;
  }

  Matrix BindTaps(const std::string& name) {
    const std::vector<float> by_channel = claims_.ClaimFloats(name, {width_, 1, config_.conv_kernel});
    Matrix taps(config_.conv_kernel, width_);
    for (int64_t k = 0; k < taps.rows(); ++k) {
      for (int64_t c = 0; c < width_; ++c) {
        taps.view().row(k)[c] = by_channel[static_cast<size_t>(c * taps.rows() + k)];
      }
    }
    return taps;
  }

  ops::LinearWeight Linear(const std::string& name, int64_t out, int64_t in) {
    return Packed(name + ".linear.weight", {out, in},
                  config_.clipped_linears ? ClaimBounds(claims_, name) : ops::ClipBounds{});
  }

  ops::LinearWeight Packed(const std::string& name, const Shape& shape, const ops::ClipBounds& bounds = {}) {
    if (context_ != nullptr) return ClaimPacked(claims_, *context_, name, shape, bounds);
    claims_.Claim(name, shape);
    return Unread(name);
  }

  // A source may have made a copy of what was claimed.
  ops::LinearWeight Unread(const std::string& name) const {
    claims_.ReleasePages(name);
    return {};
  }

  const AudioConfig& config_;
  const int64_t width_;
  ClaimList& claims_;
  const KernelContext* const context_;
};

}  // namespace

void ClaimAudioWeights(const AudioConfig& config, int64_t decoder_width, ClaimList& claims) {
  Binder binder(config, claims, nullptr);
  if (config.form == AudioForm::kDirectProjection) {
    binder.BindProjector(decoder_width);
    return;
  }
  binder.BindEnds(decoder_width);
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    binder.BindLayer(layer);
  }
}

AudioEnds BindAudioEnds(const AudioConfig& config, int64_t decoder_width, ClaimList& claims,
                        const KernelContext& context) {
  return Binder(config, claims, &context).BindEnds(decoder_width);
}

AudioLayer BindAudioLayer(const AudioConfig& config, int64_t layer, ClaimList& claims, const KernelContext& context) {
  return Binder(config, claims, &context).BindLayer(layer);
}

ops::LinearWeight BindAudioProjector(const AudioConfig& config, int64_t decoder_width, ClaimList& claims,
                                     const KernelContext& context) {
  return Binder(config, claims, &context).BindProjector(decoder_width);
}

}  // namespace percept
