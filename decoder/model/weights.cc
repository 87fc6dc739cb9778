// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/weights.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace percept {
namespace {

// The text decoder's names start so in checkpoints with encoders, and in those without.
constexpr std::string_view kPrefixes[] = {"model.language_model.", "model."};
constexpr std::string_view kEmbedTokens = "embed_tokens.weight";

std::string FindPrefix(const ClaimList& claims) {
  for (const std::string_view prefix : kPrefixes) {
    if (claims.Has(std::string(prefix).append(kEmbedTokens))) {
      return std::string(prefix);
    }
  }
  return std::string(kPrefixes[0]);
}

// Rows [first, first + count) of all rows of a tensor, as a matrix.
ConstTensor RowsOf(const ConstTensor& tensor, int64_t first, int64_t count) {
  ConstTensor rows = tensor;
  rows.shape = {count, tensor.width()};
  rows.bytes = static_cast<const std::byte*>(tensor.bytes) + BytesOf(tensor.dtype, first * tensor.width());
  if (tensor.scales != nullptr) {
    const int64_t first_scale = first * tensor.width() / Traits(tensor.dtype).block_elements;
    rows.scales = static_cast<const uint16_t*>(tensor.scales) + first_scale;
  }
  return rows;
}

// Claims the tensors whose names begin with one prefix.
class Binder {
 public:
  Binder(ClaimList& claims, const KernelContext& context, std::string prefix)
      : claims_(claims), context_(context), prefix_(std::move(prefix)) {}

  Binder At(const std::string& part) const { return {claims_, context_, prefix_ + part}; }
  const std::string& prefix() const { return prefix_; }

  ops::LinearWeight Linear(const std::string& name, int64_t out_features, int64_t in_features) const {
    const std::string full_name = prefix_ + name + ".weight";
    ops::LinearWeight weight =
        ops::LinearWeight::Packed(context_, claims_.Claim(full_name, {out_features, in_features}));
    claims_.ReleasePages(full_name);
    return weight;
  }
  // All experts of a tensor [experts, rows, width]: of each the rows [first, first + out_features) as one weight.
  std::vector<ops::LinearWeight> Stacked(const ConstTensor& tensor, int64_t first, int64_t out_features) const {
    std::vector<ops::LinearWeight> weights;
    for (int64_t i = 0; i < tensor.shape[0]; ++i) {
      const ConstTensor rows = RowsOf(tensor, i * tensor.shape[1] + first, out_features);
      weights.push_back(ops::LinearWeight::Packed(context_, rows));
    }
    return weights;
  }
  // The output matrix, of which few rows are asked for at a time: plain values are read where they lie, blocks are
  // packed as for any other layer.
  ops::LinearWeight OutputMatrix(const std::string& full_name, const ConstTensor& table) const {
    if (!IsQuantized(table.dtype)) {
      return ops::LinearWeight::Mapped(table);
    }
    ops::LinearWeight weight = ops::LinearWeight::Packed(context_, table);
    claims_.ReleasePages(full_name);
    return weight;
  }
  ConstTensor Tensor(const std::string& name, const Shape& shape) const { return claims_.Claim(prefix_ + name, shape); }
  bool Has(const std::string& name) const { return claims_.Has(prefix_ + name); }
  void Release(const std::string& name) const { claims_.ReleasePages(prefix_ + name); }
  std::vector<float> Floats(const std::string& name, int64_t width) const {
    return claims_.ClaimFloats(prefix_ + name, {width});
  }
  std::vector<float> Norm(const std::string& name, int64_t width) const {
    return claims_.ClaimFloats(prefix_ + name + ".weight", {width});
  }
  ConstTensor Table(const std::string& name, int64_t rows, int64_t width) const {
    return claims_.Claim(prefix_ + name, {rows, width});
  }
  float Scalar(const std::string& name) const { return claims_.ClaimFloats(prefix_ + name, {1}).front(); }

 private:
  ClaimList& claims_;
  const KernelContext& context_;
  std::string prefix_;
};

AttentionWeights BindAttention(const TextConfig& config, int layer_idx, const Binder& at) {
  const LayerConfig& layer = config.layers[static_cast<size_t>(layer_idx)];
  const int64_t hidden = config.hidden_size;
  const int64_t q_width = int64_t{config.num_heads} * layer.head_dim;
  const int64_t kv_width = int64_t{layer.num_kv_heads} * layer.head_dim;
  AttentionWeights weights;
  weights.q_proj = at.Linear("q_proj", q_width, hidden);
  weights.q_norm = at.Norm("q_norm", layer.head_dim);
  if (config.owns_kv(layer_idx)) {
    weights.kv.emplace();
    weights.kv->k_proj = at.Linear("k_proj", kv_width, hidden);
    if (!layer.k_eq_v) {
      weights.kv->v_proj = at.Linear("v_proj", kv_width, hidden);
    }
    weights.kv->k_norm = at.Norm("k_norm", layer.head_dim);
  }
  weights.o_proj = at.Linear("o_proj", hidden, q_width);
  return weights;
}

// Gates and ups of all experts, which lie one after the other in one tensor or, in some GGUF files, each in its own.
std::pair<std::vector<ops::LinearWeight>, std::vector<ops::LinearWeight>> BindGatesAndUps(const ExpertConfig& sizes,
                                                                                          int64_t hidden,
                                                                                          const Binder& at) {
  std::pair<std::vector<ops::LinearWeight>, std::vector<ops::LinearWeight>> weights;
  if (at.Has("experts.gate_proj")) {
    weights.first =
        at.Stacked(at.Tensor("experts.gate_proj", {sizes.num_experts, sizes.width, hidden}), 0, sizes.width);
    at.Release("experts.gate_proj");
    weights.second = at.Stacked(at.Tensor("experts.up_proj", {sizes.num_experts, sizes.width, hidden}), 0, sizes.width);
    at.Release("experts.up_proj");
    return weights;
  }
  const ConstTensor both = at.Tensor("experts.gate_up_proj", {sizes.num_experts, 2 * int64_t{sizes.width}, hidden});
  weights = {at.Stacked(both, 0, sizes.width), at.Stacked(both, sizes.width, sizes.width)};
  at.Release("experts.gate_up_proj");
  return weights;
}

ExpertWeights BindExperts(const TextConfig& config, const Binder& at) {
  const ExpertConfig& sizes = *config.experts;
  const int64_t hidden = config.hidden_size;
  ExpertWeights weights;
  weights.router = at.Linear("router.proj", sizes.num_experts, hidden);
  weights.router_scale = at.Floats("router.scale", hidden);
  for (float& scale : weights.router_scale) {
    scale /= std::sqrt(static_cast<float>(hidden));
  }
  weights.expert_scale = at.Floats("router.per_expert_scale", sizes.num_experts);
  auto [gates, ups] = BindGatesAndUps(sizes, hidden, at);
  std::vector<ops::LinearWeight> downs =
      at.Stacked(at.Tensor("experts.down_proj", {sizes.num_experts, hidden, sizes.width}), 0, hidden);
  at.Release("experts.down_proj");
  for (size_t i = 0; i < gates.size(); ++i) {
    weights.experts.push_back({std::move(gates[i]), std::move(ups[i]), std::move(downs[i])});
  }
  weights.dense_post_norm = at.Norm("post_feedforward_layernorm_1", hidden);
  weights.pre_norm = at.Norm("pre_feedforward_layernorm_2", hidden);
  weights.post_norm = at.Norm("post_feedforward_layernorm_2", hidden);
  return weights;
}

LayerWeights BindLayer(const TextConfig& config, int layer_idx, const Binder& at) {
  const int64_t hidden = config.hidden_size;
  const int64_t mlp_width = config.layers[static_cast<size_t>(layer_idx)].mlp_width;
  LayerWeights weights;
  weights.input_norm = at.Norm("input_layernorm", hidden);
  weights.attention = BindAttention(config, layer_idx, at.At("self_attn."));
  weights.post_attention_norm = at.Norm("post_attention_layernorm", hidden);
  weights.pre_feedforward_norm = at.Norm("pre_feedforward_layernorm", hidden);
  weights.feed_forward = {.gate_proj = at.Linear("mlp.gate_proj", mlp_width, hidden),
                          .up_proj = at.Linear("mlp.up_proj", mlp_width, hidden),
                          .down_proj = at.Linear("mlp.down_proj", hidden, mlp_width)};
  if (config.experts.has_value()) {
    weights.experts = BindExperts(config, at);
  }
  weights.post_feedforward_norm = at.Norm("post_feedforward_layernorm", hidden);
  if (config.ple_width > 0) {
    weights.layer_input = LayerInputWeights{.gate = at.Linear("per_layer_input_gate", config.ple_width, hidden),
                                            .projection = at.Linear("per_layer_projection", hidden, config.ple_width),
                                            .post_norm = at.Norm("post_per_layer_input_norm", hidden)};
  }
  weights.layer_scalar = at.Scalar("layer_scalar");
  return weights;
}

std::string LayerPart(int layer_idx) { return "layers." + std::to_string(layer_idx) + "."; }

// What files may hold and nobody reads (spec text-decoder 7, "to ignore or tolerate").
std::function<bool(std::string_view)> IsUnused(const TextConfig& config, const std::string& prefix) {
  std::set<std::string, std::less<>> unused;
  for (int layer_idx = 0; layer_idx < config.num_layers(); ++layer_idx) {
    if (!config.owns_kv(layer_idx)) {
      for (const char* name : {"k_proj", "v_proj", "k_norm", "v_norm"}) {
        unused.insert(prefix + LayerPart(layer_idx) + "self_attn." + name + ".weight");
      }
    }
  }
  if (config.tied_embeddings) {
    unused.insert("lm_head.weight");
  }
  return [unused = std::move(unused), prefix](std::string_view name) {
    const bool is_buffer = name.starts_with(prefix) && (name.ends_with("_inv_freq") || name.ends_with("embed_scale"));
    return is_buffer || unused.contains(name);
  };
}

// The rotated pairs of full layers, which the configuration has counted.
bool IsRotationTable(std::string_view name) { return name == "rope_freqs.weight"; }

size_t OwnedBytes(const std::vector<float>& values) { return values.size() * sizeof(float); }

size_t OwnedBytes(const FeedForwardWeights& mlp) {
  return mlp.gate_proj.owned_bytes() + mlp.up_proj.owned_bytes() + mlp.down_proj.owned_bytes();
}

size_t OwnedBytes(const ExpertWeights& weights) {
  size_t bytes = weights.router.owned_bytes() + OwnedBytes(weights.router_scale) + OwnedBytes(weights.expert_scale) +
                 OwnedBytes(weights.dense_post_norm) + OwnedBytes(weights.pre_norm) + OwnedBytes(weights.post_norm);
  for (const FeedForwardWeights& expert : weights.experts) {
    bytes += OwnedBytes(expert);
  }
  return bytes;
}

size_t OwnedBytes(const LayerWeights& layer) {
  const AttentionWeights& attention = layer.attention;
  size_t bytes = OwnedBytes(layer.input_norm) + OwnedBytes(layer.post_attention_norm) +
                 OwnedBytes(layer.pre_feedforward_norm) + OwnedBytes(layer.post_feedforward_norm) +
                 attention.q_proj.owned_bytes() + OwnedBytes(attention.q_norm) + attention.o_proj.owned_bytes() +
                 OwnedBytes(layer.feed_forward);
  bytes += layer.experts.has_value() ? OwnedBytes(*layer.experts) : 0;
  if (attention.kv.has_value()) {
    bytes += attention.kv->k_proj.owned_bytes() + OwnedBytes(attention.kv->k_norm);
    bytes += attention.kv->v_proj.has_value() ? attention.kv->v_proj->owned_bytes() : 0;
  }
  if (layer.layer_input.has_value()) {
    bytes += layer.layer_input->gate.owned_bytes() + layer.layer_input->projection.owned_bytes() +
             OwnedBytes(layer.layer_input->post_norm);
  }
  return bytes;
}

}  // namespace

float EmbeddingFactor(int64_t hidden_size, DType table_dtype, EmbeddingScale scale) {
  const float root = std::sqrt(static_cast<float>(hidden_size));
  const bool is_rounded = scale == EmbeddingScale::kRoundedToTable && table_dtype == DType::kBF16;
  return is_rounded ? BF16ToFloat(FloatToBF16(root)) : root;
}

TextWeights TextWeights::Bind(const TextConfig& config, ClaimList& claims, const KernelContext& context,
                              EmbeddingScale scale) {
  const Binder at(claims, context, FindPrefix(claims));
  const int64_t hidden = config.hidden_size;
  TextWeights weights;
  weights.embed_tokens = at.Table(std::string(kEmbedTokens), config.vocab_size, hidden);
  weights.embedding_scale = EmbeddingFactor(hidden, weights.embed_tokens.dtype, scale);
  weights.lm_head =
      config.tied_embeddings
          ? at.OutputMatrix(at.prefix() + std::string(kEmbedTokens), weights.embed_tokens)
          : at.OutputMatrix("lm_head.weight", claims.Claim("lm_head.weight", {config.vocab_size, hidden}));
  weights.final_norm = at.Norm("norm", hidden);
  if (config.ple_width > 0) {
    const int64_t width = int64_t{config.num_layers()} * config.ple_width;
    weights.per_layer =
        PerLayerEmbeddingWeights{.table = at.Table("embed_tokens_per_layer.weight", config.ple_vocab_size, width),
                                 .model_projection = at.Linear("per_layer_model_projection", width, hidden),
                                 .projection_norm = at.Norm("per_layer_projection_norm", config.ple_width)};
  }
  weights.layers.reserve(config.layers.size());
  for (int layer_idx = 0; layer_idx < config.num_layers(); ++layer_idx) {
    weights.layers.push_back(BindLayer(config, layer_idx, at.At(LayerPart(layer_idx))));
  }
  claims.Ignore(IsUnused(config, at.prefix()));
  claims.Ignore(IsRotationTable);
  return weights;
}

size_t TextWeights::owned_bytes() const {
  size_t bytes = OwnedBytes(final_norm) + lm_head.owned_bytes();
  if (per_layer.has_value()) {
    bytes += per_layer->model_projection.owned_bytes() + OwnedBytes(per_layer->projection_norm);
  }
  for (const LayerWeights& layer : layers) {
    bytes += OwnedBytes(layer);
  }
  return bytes;
}

std::vector<std::string> UnusedTensors(const TextConfig& config, const TensorSource& source) {
  std::vector<std::string> names = source.Names();
  const auto is_unused = IsUnused(config, FindPrefix(ClaimList(source)));
  names.erase(std::remove_if(names.begin(), names.end(), std::not_fn(is_unused)), names.end());
  return names;
}

}  // namespace percept
