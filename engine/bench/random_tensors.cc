// SPDX-License-Identifier: Apache-2.0
#include "engine/bench/random_tensors.h"

#include <string>
#include <utility>

#include "encoders/vision/patches.h"

namespace percept {
namespace {

using Use = RandomTensorUse;

class TensorList {
 public:
  void Linear(std::string name, int64_t out, int64_t in) { Add(std::move(name), {out, in}, Use::kRepacked); }
  void Vector(std::string name, int64_t width) { Add(std::move(name), {width}, Use::kScale); }
  void Add(std::string name, const Shape& shape, Use use) { tensors_.push_back({std::move(name), shape, use}); }
  std::vector<RandomTensor> Take() { return std::move(tensors_); }

 private:
  std::vector<RandomTensor> tensors_;
};

void AddLayerNorms(TensorList& list, const std::string& layer, int64_t width) {
  for (const char* norm :
       {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"}) {
    list.Vector(layer + norm + ".weight", width);
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
    list.Linear(name + "self_attn.v_proj.weight", kv_width, hidden);
    list.Vector(name + "self_attn.k_norm.weight", layer.head_dim);
  }
  list.Linear(name + "mlp.gate_proj.weight", layer.mlp_width, hidden);
  list.Linear(name + "mlp.up_proj.weight", layer.mlp_width, hidden);
  list.Linear(name + "mlp.down_proj.weight", hidden, layer.mlp_width);
  AddLayerNorms(list, name, hidden);
  list.Vector(name + "layer_scalar", 1);
  if (text.ple_width > 0) {
    list.Linear(name + "per_layer_input_gate.weight", text.ple_width, hidden);
    list.Linear(name + "per_layer_projection.weight", hidden, text.ple_width);
    list.Vector(name + "post_per_layer_input_norm.weight", hidden);
  }
}

void AddText(TensorList& list, const TextConfig& text) {
  const std::string model = "model.language_model.";
  const int64_t hidden = text.hidden_size;
  list.Add(model + "embed_tokens.weight", {text.vocab_size, hidden}, Use::kReadWhole);
  list.Vector(model + "norm.weight", hidden);
  if (text.ple_width > 0) {
    const int64_t ple = int64_t{text.num_layers()} * text.ple_width;
    list.Add(model + "embed_tokens_per_layer.weight", {text.ple_vocab_size, ple}, Use::kReadByRow);
    list.Linear(model + "per_layer_model_projection.weight", ple, hidden);
    list.Vector(model + "per_layer_projection_norm.weight", text.ple_width);
  }
  for (int i = 0; i < text.num_layers(); ++i) {
    AddTextLayer(list, text, i, model + "layers." + std::to_string(i) + ".");
  }
}

void AddTowerLinear(TensorList& list, const VisionConfig& vision, const std::string& name, int64_t out, int64_t in) {
  list.Linear(name + ".linear.weight", out, in);
  if (vision.clipped_linears) {
    for (const char* side : {"input", "output"}) {
      list.Add(name + "." + side + "_min", {}, Use::kLowerBound);
      list.Add(name + "." + side + "_max", {}, Use::kUpperBound);
    }
  }
}

void AddTower(TensorList& list, const VisionConfig& vision, int64_t decoder_hidden) {
  const std::string tower = "model.vision_tower.";
  const int64_t width = vision.width;
  const int64_t heads_width = int64_t{vision.num_heads} * vision.head_dim;
  list.Linear(tower + "patch_embedder.input_proj.weight", width, kPatchValues);
  list.Add(tower + "patch_embedder.position_embedding_table", {2, vision.position_rows, width}, Use::kReadByRow);
  for (int i = 0; i < vision.num_layers; ++i) {
    const std::string layer = tower + "encoder.layers." + std::to_string(i) + ".";
    for (const char* projection : {"q_proj", "k_proj", "v_proj"}) {
      AddTowerLinear(list, vision, layer + "self_attn." + projection, heads_width, width);
    }
    AddTowerLinear(list, vision, layer + "self_attn.o_proj", width, heads_width);
    list.Vector(layer + "self_attn.q_norm.weight", vision.head_dim);
    list.Vector(layer + "self_attn.k_norm.weight", vision.head_dim);
    AddTowerLinear(list, vision, layer + "mlp.gate_proj", vision.mlp_width, width);
    AddTowerLinear(list, vision, layer + "mlp.up_proj", vision.mlp_width, width);
    AddTowerLinear(list, vision, layer + "mlp.down_proj", width, vision.mlp_width);
    AddLayerNorms(list, layer, width);
  }
  list.Linear("model.embed_vision.embedding_projection.weight", decoder_hidden, width);
}

}  // namespace

std::vector<RandomTensor> TensorsOf(const TextConfig& text, const VisionConfig& vision) {
  TensorList list;
  AddText(list, text);
  AddTower(list, vision, text.hidden_size);
  return list.Take();
}

}  // namespace percept
