// SPDX-License-Identifier: Apache-2.0
#include "engine/bench/random_tensors.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "encoders/vision/cells.h"

namespace percept {
namespace {

using Use = RandomTensorUse;

bool DividesRows(DType dtype, int64_t width) { return width % Traits(dtype).block_elements == 0; }

DType FittingType(DType dtype, int64_t width) {
  if (DividesRows(dtype, width)) return dtype;
  return DividesRows(DType::kQ80, width) ? DType::kQ80 : DType::kBF16;
}

DType EmbeddingType(DType dtype) {
  const bool is_4_bit = dtype == DType::kQ40 || dtype == DType::kQ41 || dtype == DType::kQ4K;
  return is_4_bit ? DType::kQ6K : dtype;
}

class TensorList {
 public:
  explicit TensorList(DType dtype) : dtype_(dtype) {}

  void Linear(std::string name, int64_t out, int64_t in) { Add(std::move(name), {out, in}, Use::kRepacked, dtype_); }
  void Experts(std::string name, int64_t num, int64_t out, int64_t in) {
    Add(std::move(name), {num, out, in}, Use::kRepacked, dtype_);
  }
  void PlainLinear(std::string name, int64_t out, int64_t in) { Add(std::move(name), {out, in}, Use::kRepacked); }
  void Embeddings(std::string name, int64_t num, int64_t width, Use use) {
    Add(std::move(name), {num, width}, use, EmbeddingType(dtype_));
  }
  void Vector(std::string name, int64_t width) { Add(std::move(name), {width}, Use::kScale); }
  void Add(std::string name, const Shape& shape, Use use, DType dtype = DType::kBF16) {
    const int64_t width = shape.rank() > 0 ? shape[shape.rank() - 1] : 1;
    tensors_.push_back({std::move(name), shape, use, FittingType(dtype, width)});
  }
  std::vector<RandomTensor> Take() { return std::move(tensors_); }

 private:
  const DType dtype_;
  std::vector<RandomTensor> tensors_;
};

void AddLayerNorms(TensorList& list, const std::string& layer, int64_t width) {
  for (const char* norm :
       {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"}) {
    list.Vector(layer + norm + ".weight", width);
  }
}

void AddExperts(TensorList& list, const ExpertConfig& experts, const std::string& layer, int64_t hidden) {
  list.PlainLinear(layer + "router.proj.weight", experts.num_experts, hidden);
  list.Vector(layer + "router.scale", hidden);
  list.Vector(layer + "router.per_expert_scale", experts.num_experts);
  list.Experts(layer + "experts.gate_up_proj", experts.num_experts, 2 * experts.width, hidden);
  list.Experts(layer + "experts.down_proj", experts.num_experts, hidden, experts.width);
  for (const char* norm :
       {"post_feedforward_layernorm_1", "pre_feedforward_layernorm_2", "post_feedforward_layernorm_2"}) {
    list.Vector(layer + norm + ".weight", hidden);
  }
}

void AddTextLayer(TensorList& list, const TextConfig& text, int layer_idx, const std::string& name) {
  const LayerConfig& layer = text.layers[static_cast<size_t>(layer_idx)];
  const int64_t hidden = text.hidden_size;
  const int64_t q_width = int64_t{text.num_heads} * layer.head_dim;
  const int64_t kv_width = int64_t{layer.num_kv_heads} * layer.head_dim;
  list.Linear(name + "self_attn.q_proj.weight", q_width, hidden);
  list.Linear(name + "self_attn.o_proj.weight", hidden, q_width);
  list.Vector(name + "self_attn.q_norm.weight", layer.head_dim);
  if (text.owns_kv(layer_idx)) {
    list.Linear(name + "self_attn.k_proj.weight", kv_width, hidden);
    if (!layer.k_eq_v) {
      list.Linear(name + "self_attn.v_proj.weight", kv_width, hidden);
    }
    list.Vector(name + "self_attn.k_norm.weight", layer.head_dim);
  }
  list.Linear(name + "mlp.gate_proj.weight", layer.mlp_width, hidden);
  list.Linear(name + "mlp.up_proj.weight", layer.mlp_width, hidden);
  list.Linear(name + "mlp.down_proj.weight", hidden, layer.mlp_width);
  AddLayerNorms(list, name, hidden);
  list.Vector(name + "layer_scalar", 1);
  if (text.experts) {
    AddExperts(list, *text.experts, name, hidden);
  }
  if (text.ple_width > 0) {
    list.Linear(name + "per_layer_input_gate.weight", text.ple_width, hidden);
    list.Linear(name + "per_layer_projection.weight", hidden, text.ple_width);
    list.Vector(name + "post_per_layer_input_norm.weight", hidden);
  }
}

void AddText(TensorList& list, const TextConfig& text) {
  const std::string model = "model.language_model.";
  const int64_t hidden = text.hidden_size;
  list.Embeddings(model + "embed_tokens.weight", text.vocab_size, hidden, Use::kReadWhole);
  if (!text.tied_embeddings) {
    list.Embeddings("lm_head.weight", text.vocab_size, hidden, Use::kReadWhole);
  }
  list.Vector(model + "norm.weight", hidden);
  if (text.ple_width > 0) {
    const int64_t ple = int64_t{text.num_layers()} * text.ple_width;
    list.Embeddings(model + "embed_tokens_per_layer.weight", text.ple_vocab_size, ple, Use::kReadByRow);
    list.PlainLinear(model + "per_layer_model_projection.weight", ple, hidden);
    list.Vector(model + "per_layer_projection_norm.weight", text.ple_width);
  }
  for (int i = 0; i < text.num_layers(); ++i) {
    AddTextLayer(list, text, i, model + "layers." + std::to_string(i) + ".");
  }
}

void AddTowerLinear(TensorList& list, bool is_clipped, const std::string& name, int64_t out, int64_t in) {
  list.Linear(name + ".linear.weight", out, in);
  if (is_clipped) {
    for (const char* side : {"input", "output"}) {
      list.Add(name + "." + side + "_min", {}, Use::kLowerBound);
      list.Add(name + "." + side + "_max", {}, Use::kUpperBound);
    }
  }
}

void AddNormWithBias(TensorList& list, const std::string& name, int64_t width) {
  list.Vector(name + ".weight", width);
  list.Vector(name + ".bias", width);
}

void AddCells(TensorList& list, const VisionConfig& vision) {
  const std::string cells = "model.vision_embedder.";
  AddNormWithBias(list, cells + "patch_ln1", kCellValues);
  list.Linear(cells + "patch_dense.weight", vision.width, kCellValues);
  list.Vector(cells + "patch_dense.bias", vision.width);
  AddNormWithBias(list, cells + "patch_ln2", vision.width);
  list.Add(cells + "pos_embedding", {vision.position_rows, 2, vision.width}, Use::kReadByRow);
  AddNormWithBias(list, cells + "pos_norm", vision.width);
}

void AddTower(TensorList& list, const VisionConfig& vision) {
  const std::string tower = "model.vision_tower.";
  const int64_t width = vision.width;
  const int64_t heads_width = int64_t{vision.num_heads} * vision.head_dim;
  list.Linear(tower + "patch_embedder.input_proj.weight", width, kPatchValues);
  list.Add(tower + "patch_embedder.position_embedding_table", {2, vision.position_rows, width}, Use::kReadByRow);
  for (int i = 0; i < vision.num_layers; ++i) {
    const std::string layer = tower + "encoder.layers." + std::to_string(i) + ".";
    for (const char* projection : {"q_proj", "k_proj", "v_proj"}) {
      AddTowerLinear(list, vision.clipped_linears, layer + "self_attn." + projection, heads_width, width);
    }
    AddTowerLinear(list, vision.clipped_linears, layer + "self_attn.o_proj", width, heads_width);
    list.Vector(layer + "self_attn.q_norm.weight", vision.head_dim);
    list.Vector(layer + "self_attn.k_norm.weight", vision.head_dim);
    AddTowerLinear(list, vision.clipped_linears, layer + "mlp.gate_proj", vision.mlp_width, width);
    AddTowerLinear(list, vision.clipped_linears, layer + "mlp.up_proj", vision.mlp_width, width);
    AddTowerLinear(list, vision.clipped_linears, layer + "mlp.down_proj", width, vision.mlp_width);
    AddLayerNorms(list, layer, width);
  }
  if (vision.standardize) {
    list.Vector(tower + "std_bias", width);
    list.Vector(tower + "std_scale", width);
  }
}

void AddVision(TensorList& list, const VisionConfig& vision, int64_t decoder_hidden) {
  if (vision.form == VisionForm::kDirectProjection) {
    AddCells(list, vision);
  } else {
    AddTower(list, vision);
  }
  list.Linear("model.embed_vision.embedding_projection.weight", decoder_hidden, vision.width);
}

void AddAudioLayer(TensorList& list, const AudioConfig& audio, const std::string& layer) {
  const int64_t width = audio.width;
  const auto linear = [&](const std::string& name, int64_t out, int64_t in) {
    AddTowerLinear(list, audio.clipped_linears, layer + name, out, in);
  };
  for (const std::string half : {"feed_forward1.", "feed_forward2."}) {
    linear(half + "ffw_layer_1", audio.mlp_width, width);
    linear(half + "ffw_layer_2", width, audio.mlp_width);
    list.Vector(layer + half + "pre_layer_norm.weight", width);
    list.Vector(layer + half + "post_layer_norm.weight", width);
  }
  for (const char* name : {"q_proj", "k_proj", "v_proj", "post"}) {
    linear(std::string("self_attn.") + name, width, width);
  }
  list.Linear(layer + "self_attn.relative_k_proj.weight", width, width);
  list.Vector(layer + "self_attn.per_dim_scale", audio.head_dim);
  linear("lconv1d.linear_start", 2 * width, width);
  linear("lconv1d.linear_end", width, width);
  list.Add(layer + "lconv1d.depthwise_conv1d.weight", {width, 1, audio.conv_kernel}, Use::kScale);
  for (const char* norm :
       {"norm_pre_attn", "norm_post_attn", "norm_out", "lconv1d.pre_layer_norm", "lconv1d.conv_norm"}) {
    list.Vector(layer + norm + ".weight", width);
  }
}

void AddAudioTower(TensorList& list, const AudioConfig& audio) {
  const std::string tower = "model.audio_tower.";
  const std::string subsample = tower + "subsample_conv_projection.";
  int64_t in_channels = 1;
  for (size_t i = 0; i < audio.conv_channels.size(); ++i) {
    const std::string stage = subsample + "layer" + std::to_string(i) + ".";
    list.Add(stage + "conv.weight", {audio.conv_channels[i], in_channels, 3, 3}, Use::kRepacked);
    list.Vector(stage + "norm.weight", audio.conv_channels[i]);
    in_channels = audio.conv_channels[i];
  }
  list.Linear(subsample + "input_proj_linear.weight", audio.width, audio.subsampled_width());
  for (int i = 0; i < audio.num_layers; ++i) {
    AddAudioLayer(list, audio, tower + "layers." + std::to_string(i) + ".");
  }
  list.Linear(tower + "output_proj.weight", audio.projector_width, audio.width);
  list.Vector(tower + "output_proj.bias", audio.projector_width);
}

void AddAudio(TensorList& list, const AudioConfig& audio, int64_t decoder_hidden) {
  if (audio.form == AudioForm::kTower) AddAudioTower(list, audio);
  list.Linear("model.embed_audio.embedding_projection.weight", decoder_hidden, audio.projector_width);
}

}  // namespace

std::vector<RandomTensor> TensorsOf(const ModelConfig& config, DType dtype) {
  TensorList decoder(dtype), encoders(DType::kBF16);
  AddText(decoder, config.text);
  if (config.vision) AddVision(encoders, *config.vision, config.text.hidden_size);
  if (config.audio) AddAudio(encoders, *config.audio, config.text.hidden_size);
  std::vector<RandomTensor> tensors = decoder.Take();
  std::vector<RandomTensor> rest = encoders.Take();
  std::move(rest.begin(), rest.end(), std::back_inserter(tensors));
  return tensors;
}

}  // namespace percept
