// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "decoder/config/text_config.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/linear.h"
#include "kernels/weights/claim_list.h"

namespace percept {

// The factor of token embeddings, sqrt(hidden): rounded to the dtype of the table, as the models were trained, or not,
// as references computed in float32 have it.
enum class EmbeddingScale { kRoundedToTable, kUnrounded };

float EmbeddingFactor(int64_t hidden_size, DType table_dtype, EmbeddingScale scale);

struct KeyValueWeights {
  ops::LinearWeight k_proj;                 // [kv_heads * head_dim, hidden]
  std::optional<ops::LinearWeight> v_proj;  // likewise; absent where values are made from the key projection
  std::vector<float> k_norm;                // [head_dim]
};

struct AttentionWeights {
  ops::LinearWeight q_proj;           // [heads * head_dim, hidden]
  std::vector<float> q_norm;          // [head_dim]
  std::optional<KeyValueWeights> kv;  // absent where the layer reads a donor's keys and values
  ops::LinearWeight o_proj;           // [hidden, heads * head_dim]
};

struct FeedForwardWeights {
  ops::LinearWeight gate_proj;  // [mlp_width, hidden]
  ops::LinearWeight up_proj;    // [mlp_width, hidden]
  ops::LinearWeight down_proj;  // [hidden, mlp_width]
};

// Experts beside the dense branch of a layer.
struct ExpertWeights {
  ops::LinearWeight router;                 // [experts, hidden]
  std::vector<float> router_scale;          // [hidden], hidden^(-1/2) included
  std::vector<float> expert_scale;          // [experts]
  std::vector<FeedForwardWeights> experts;  // mlp_width is the experts'
  std::vector<float> dense_post_norm;       // [hidden] of the dense branch
  std::vector<float> pre_norm;              // [hidden]
  std::vector<float> post_norm;             // [hidden]
};

// What a layer does with its part of the per-layer embedding.
struct LayerInputWeights {
  ops::LinearWeight gate;        // [ple_width, hidden]
  ops::LinearWeight projection;  // [hidden, ple_width]
  std::vector<float> post_norm;  // [hidden]
};

struct LayerWeights {
  std::vector<float> input_norm;  // [hidden]
  AttentionWeights attention;
  std::vector<float> post_attention_norm;   // [hidden]
  std::vector<float> pre_feedforward_norm;  // [hidden]
  FeedForwardWeights feed_forward;
  std::optional<ExpertWeights> experts;
  std::vector<float> post_feedforward_norm;  // [hidden]
  std::optional<LayerInputWeights> layer_input;
  float layer_scalar = 0;
};

// How the per-layer embeddings of all layers are made.
struct PerLayerEmbeddingWeights {
  ConstTensor table;                   // [ple_vocab, layers * ple_width], mapped, read by row
  ops::LinearWeight model_projection;  // [layers * ple_width, hidden]
  std::vector<float> projection_norm;  // [ple_width]
};

// The weights of a text decoder, const after load. Linear layers are packed once and the file's pages given back; the
// two embedding tables stay mapped, so the checkpoint's files must outlive this. An output matrix of blocks is packed
// too: of a table that it is tied to only the rows of tokens are read.
struct TextWeights {
  // Claims every tensor of the text decoder by its exact name and shape (spec text-decoder 7), and marks those that are
  // known to be unused: keys and values of layers that read a donor's, non-persistent buffers, the output matrix where
  // it is tied. Throws CheckpointError.
  static TextWeights Bind(const TextConfig& config, ClaimList& claims, const KernelContext& context,
                          EmbeddingScale scale = EmbeddingScale::kRoundedToTable);

  size_t owned_bytes() const;  // packed weights and norms; what stays mapped is not counted

  ConstTensor embed_tokens;       // [vocab, hidden], mapped
  float embedding_scale = 0;      // sqrt(hidden)
  ops::LinearWeight lm_head;      // [vocab, hidden]; plain values mapped: embed_tokens where tied
  std::vector<float> final_norm;  // [hidden]
  std::optional<PerLayerEmbeddingWeights> per_layer;
  std::vector<LayerWeights> layers;
};

// Of the tensors of a checkpoint those that Bind marks as known to be unused, sorted.
std::vector<std::string> UnusedTensors(const TextConfig& config, const TensorSource& source);

}  // namespace percept
