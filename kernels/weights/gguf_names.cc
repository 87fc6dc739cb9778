// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/gguf_names.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

namespace percept {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;  // here, in safetensors

constexpr std::string_view kText = "model.language_model.";
constexpr std::string_view kTower = "model.vision_tower.";
constexpr std::string_view kCells = "model.vision_embedder.";
constexpr std::string_view kAudio = "model.audio_tower.";

constexpr Pair kTextGlobals[] = {
    {"token_embd.weight", "embed_tokens.weight"},
    {"output_norm.weight", "norm.weight"},
    {"per_layer_token_embd.weight", "embed_tokens_per_layer.weight"},
    {"per_layer_model_proj.weight", "per_layer_model_projection.weight"},
    {"per_layer_proj_norm.weight", "per_layer_projection_norm.weight"},
};

constexpr Pair kRest[] = {
    {"nextn.pre_projection.weight", "pre_projection.weight"},
    {"nextn.post_projection.weight", "post_projection.weight"},
    {"output.weight", "lm_head.weight"},
    {"mm.input_projection.weight", "model.embed_vision.embedding_projection.weight"},
    {"mm.a.input_projection.weight", "model.embed_audio.embedding_projection.weight"},
};

constexpr Pair kTextLayer[] = {
    {"attn_norm.weight", "input_layernorm.weight"},
    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_k.weight", "self_attn.k_proj.weight"},
    {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"},
    {"attn_q_norm.weight", "self_attn.q_norm.weight"},
    {"attn_k_norm.weight", "self_attn.k_norm.weight"},
    {"post_attention_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_norm.weight", "pre_feedforward_layernorm.weight"},
    {"ffn_gate.weight", "mlp.gate_proj.weight"},
    {"ffn_up.weight", "mlp.up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"},
    {"post_ffw_norm.weight", "post_feedforward_layernorm.weight"},
    {"post_ffw_norm_1.weight", "post_feedforward_layernorm_1.weight"},
    {"post_ffw_norm_2.weight", "post_feedforward_layernorm_2.weight"},
    {"pre_ffw_norm_2.weight", "pre_feedforward_layernorm_2.weight"},
    {"ffn_gate_inp.weight", "router.proj.weight"},
    {"ffn_gate_inp.scale", "router.scale"},
    {"ffn_gate_up_exps.weight", "experts.gate_up_proj"},
    {"ffn_gate_exps.weight", "experts.gate_proj"},
    {"ffn_up_exps.weight", "experts.up_proj"},
    {"ffn_down_exps.weight", "experts.down_proj"},
    {"ffn_down_exps.scale", "router.per_expert_scale"},
    {"inp_gate.weight", "per_layer_input_gate.weight"},
    {"proj.weight", "per_layer_projection.weight"},
    {"post_norm.weight", "post_per_layer_input_norm.weight"},
    {"layer_output_scale.weight", "layer_scalar"},
};

constexpr Pair kVisionLayer[] = {
    {"ln1.weight", "input_layernorm.weight"},
    {"ln2.weight", "pre_feedforward_layernorm.weight"},
    {"attn_post_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_post_norm.weight", "post_feedforward_layernorm.weight"},
    {"attn_q_norm.weight", "self_attn.q_norm.weight"},
    {"attn_k_norm.weight", "self_attn.k_norm.weight"},
};

// Linears with bounds; the name goes on with the weight's or a bound's.
constexpr Pair kVisionLinears[] = {
    {"attn_q", "self_attn.q_proj"},   {"attn_k", "self_attn.k_proj"}, {"attn_v", "self_attn.v_proj"},
    {"attn_out", "self_attn.o_proj"}, {"ffn_gate", "mlp.gate_proj"},  {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

constexpr Pair kCellPlain[] = {
    {"v.patch_norm.2.weight", "patch_ln2.weight"}, {"v.patch_norm.2.bias", "patch_ln2.bias"},
    {"v.patch_norm.3.weight", "pos_norm.weight"},  {"v.patch_norm.3.bias", "pos_norm.bias"},
    {"v.patch_embd.bias", "patch_dense.bias"},
};
// What goes through the values of a cell, which are channel by channel here.
constexpr Pair kCellPixels[] = {
    {"v.patch_embd.weight", "patch_dense.weight"},
    {"v.patch_norm.1.weight", "patch_ln1.weight"},
    {"v.patch_norm.1.bias", "patch_ln1.bias"},
};

constexpr Pair kAudioGlobals[] = {
    {"a.conv1d.0.weight", "subsample_conv_projection.layer0.conv.weight"},
    {"a.conv1d.1.weight", "subsample_conv_projection.layer1.conv.weight"},
    {"a.conv1d.0.norm.weight", "subsample_conv_projection.layer0.norm.weight"},
    {"a.conv1d.1.norm.weight", "subsample_conv_projection.layer1.norm.weight"},
    {"a.input_projection.weight", "subsample_conv_projection.input_proj_linear.weight"},
    {"a.pre_encode.out.weight", "output_proj.weight"},
    {"a.pre_encode.out.bias", "output_proj.bias"},
};

// The two norms of the light convolution have each other's names here.
constexpr Pair kAudioLayer[] = {
    {"ffn_norm.weight", "feed_forward1.pre_layer_norm.weight"},
    {"ffn_post_norm.weight", "feed_forward1.post_layer_norm.weight"},
    {"ffn_norm_1.weight", "feed_forward2.pre_layer_norm.weight"},
    {"ffn_post_norm_1.weight", "feed_forward2.post_layer_norm.weight"},
    {"attn_pre_norm.weight", "norm_pre_attn.weight"},
    {"attn_post_norm.weight", "norm_post_attn.weight"},
    {"ln2.weight", "norm_out.weight"},
    {"attn_k_rel.weight", "self_attn.relative_k_proj.weight"},
    {"conv_norm.weight", "lconv1d.pre_layer_norm.weight"},
    {"norm_conv.weight", "lconv1d.conv_norm.weight"},
};

// Names that stand for other tensors, or are unknown, in an mmproj file.
constexpr Pair kTextFileAudioGlobals[] = {
    {"a.pre_encode.out.weight", "subsample_conv_projection.input_proj_linear.weight"},
    {"mm.a.fc.weight", "output_proj.weight"},
    {"mm.a.fc.bias", "output_proj.bias"},
};
constexpr Pair kTextFileAudioLayer[] = {
    {"ln1.weight", "norm_pre_attn.weight"},
    {"ln2.weight", "norm_post_attn.weight"},
    {"layer_pre_norm.weight", "norm_out.weight"},
    {"linear_pos.weight", "self_attn.relative_k_proj.weight"},
};

constexpr Pair kAudioLinears[] = {
    {"ffn_up", "feed_forward1.ffw_layer_1"},
    {"ffn_down", "feed_forward1.ffw_layer_2"},
    {"ffn_up_1", "feed_forward2.ffw_layer_1"},
    {"ffn_down_1", "feed_forward2.ffw_layer_2"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_out", "self_attn.post"},
    {"conv_pw1", "lconv1d.linear_start"},
    {"conv_pw2", "lconv1d.linear_end"},
};

std::string_view Find(std::span<const Pair> names, std::string_view name) {
  const auto it = std::find_if(names.begin(), names.end(), [name](const Pair& pair) { return pair.first == name; });
  return it == names.end() ? std::string_view() : it->second;
}

constexpr std::string_view kBounds[] = {"input_min", "input_max", "output_min", "output_max"};

bool IsBound(std::string_view name) {
  return std::find(std::begin(kBounds), std::end(kBounds), name) != std::end(kBounds);
}

// A linear's weight or one of its bounds.
GgufName LinearName(std::span<const Pair> linears, const std::string& layer, std::string_view leaf) {
  const size_t dot = leaf.find('.');
  const std::string_view linear = Find(linears, leaf.substr(0, dot));
  if (dot == std::string_view::npos || linear.empty()) return {};
  const std::string_view part = leaf.substr(dot + 1);
  if (part == "weight") return {layer + std::string(linear) + ".linear.weight"};
  if (IsBound(part)) return {layer + std::string(linear) + "." + std::string(part), GgufForm::kScalar};
  return {};
}

GgufName VisionLayerName(const std::string& layer, std::string_view leaf) {
  if (const std::string_view found = Find(kVisionLayer, leaf); !found.empty()) return {layer + std::string(found)};
  return LinearName(kVisionLinears, layer, leaf);
}

GgufName AudioLayerName(const std::string& layer, std::string_view leaf, GgufEncoders encoders) {
  const std::string_view other = Find(kTextFileAudioLayer, leaf);
  if (encoders == GgufEncoders::kTowersInTextFile && !other.empty()) return {layer + std::string(other)};
  if (const std::string_view found = Find(kAudioLayer, leaf); !found.empty()) return {layer + std::string(found)};
  if (leaf == "per_dim_scale.weight") return {layer + "self_attn.per_dim_scale", GgufForm::kSoftplus};
  if (leaf == "conv_dw.weight") return {layer + "lconv1d.depthwise_conv1d.weight", GgufForm::kOneInput};
  return LinearName(kAudioLinears, layer, leaf);
}

GgufName CellName(std::string_view name) {
  const std::string cells(kCells);
  if (const std::string_view found = Find(kCellPlain, name); !found.empty()) return {cells + std::string(found)};
  if (const std::string_view found = Find(kCellPixels, name); !found.empty()) {
    return {cells + std::string(found), GgufForm::kChannelsLast};
  }
  if (name == "v.position_embd.weight") return {cells + "pos_embedding", GgufForm::kAxisLast};
  return {};
}

GgufName TowerName(std::string_view name) {
  const std::string tower(kTower);
  if (name == "v.patch_embd.weight") return {tower + "patch_embedder.input_proj.weight", GgufForm::kChannelsLast};
  if (name == "v.position_embd.weight") return {tower + "patch_embedder.position_embedding_table"};
  if (name == "v.std_bias" || name == "v.std_scale") return {tower + std::string(name.substr(2))};
  return {};
}

// "blk.12.attn_q.weight" is leaf "attn_q.weight" of layer "12"; both empty for other names.
std::pair<std::string_view, std::string_view> SplitLayer(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return {};
  name.remove_prefix(prefix.size());
  const size_t dot = name.find('.');
  const std::string_view layer = name.substr(0, dot);
  if (dot == std::string_view::npos || layer.find_first_not_of("0123456789") != std::string_view::npos) return {};
  return {layer, name.substr(dot + 1)};
}

GgufName KnownName(std::string_view name, GgufEncoders encoders) {
  const std::string text(kText);
  if (const std::string_view found = Find(kTextGlobals, name); !found.empty()) return {text + std::string(found)};
  if (const auto [layer, leaf] = SplitLayer(name, "blk."); !layer.empty()) {
    const std::string_view found = Find(kTextLayer, leaf);
    if (found.empty()) return {};
    return {text + "layers." + std::string(layer) + "." + std::string(found)};
  }
  if (const auto [layer, leaf] = SplitLayer(name, "v.blk."); !layer.empty()) {
    return VisionLayerName(std::string(kTower) + "encoder.layers." + std::string(layer) + ".", leaf);
  }
  if (const auto [layer, leaf] = SplitLayer(name, "a.blk."); !layer.empty()) {
    return AudioLayerName(std::string(kAudio) + "layers." + std::string(layer) + ".", leaf, encoders);
  }
  if (const std::string_view found = Find(kTextFileAudioGlobals, name);
      encoders == GgufEncoders::kTowersInTextFile && !found.empty()) {
    return {std::string(kAudio) + std::string(found)};
  }
  if (const std::string_view found = Find(kAudioGlobals, name); !found.empty()) {
    return {std::string(kAudio) + std::string(found)};
  }
  if (const std::string_view found = Find(kRest, name); !found.empty()) return {std::string(found)};
  return encoders == GgufEncoders::kCells ? CellName(name) : TowerName(name);
}

}  // namespace

GgufName SafetensorsName(std::string_view gguf_name, GgufEncoders encoders) {
  GgufName known = KnownName(gguf_name, encoders);
  if (known.name.empty()) known.name = gguf_name;
  return known;
}

std::string GgufTensorName(std::string_view safetensors_name, GgufEncoders encoders) {
  constexpr std::string_view kLayers = "layers.";
  // Of names that no table has.
  constexpr Pair kOthers[] = {{"v.patch_embd", ""}, {"v.position_embd", ""}, {"v.std_bias", ""},
                              {"v.std_scale", ""},  {"per_dim_scale", ""},   {"conv_dw", ""}};
  const size_t at = safetensors_name.find(kLayers);
  const std::string_view rest = at == std::string_view::npos ? "" : safetensors_name.substr(at + kLayers.size());
  const std::string layer = "blk." + std::string(rest.substr(0, rest.find('.'))) + ".";
  for (const std::span<const Pair> names : {std::span<const Pair>(kTextGlobals),
                                            {kRest},
                                            {kTextLayer},
                                            {kVisionLayer},
                                            {kVisionLinears},
                                            {kCellPlain},
                                            {kCellPixels},
                                            {kTextFileAudioGlobals},
                                            {kTextFileAudioLayer},
                                            {kAudioGlobals},
                                            {kAudioLayer},
                                            {kAudioLinears},
                                            {kOthers}}) {
    for (const Pair& pair : names) {
      for (const std::string& stem : {std::string(), layer, "v." + layer, "a." + layer}) {
        for (const std::string_view part : {"", ".weight", ".input_min", ".input_max", ".output_min", ".output_max"}) {
          std::string name = stem + std::string(pair.first) + std::string(part);
          if (KnownName(name, encoders).name == safetensors_name) return name;
        }
      }
    }
  }
  return std::string(safetensors_name);
}

std::vector<std::string> VisionBoundNames(int64_t num_elements) {
  constexpr std::string_view kLinears[] = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                           "self_attn.o_proj", "mlp.gate_proj",    "mlp.up_proj",
                                           "mlp.down_proj"};
  const auto per_layer = static_cast<int64_t>(std::size(kLinears) * std::size(kBounds));
  std::vector<std::string> names;
  for (int64_t layer = 0; layer < num_elements / per_layer; ++layer) {
    for (const std::string_view linear : kLinears) {
      for (const std::string_view bound : kBounds) {
        names.push_back(std::string(kTower) + "encoder.layers." + std::to_string(layer) + "." + std::string(linear) +
                        "." + std::string(bound));
      }
    }
  }
  return names;
}

}  // namespace percept
