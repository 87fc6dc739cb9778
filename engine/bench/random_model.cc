// SPDX-License-Identifier: Apache-2.0
#include "engine/bench/random_model.h"

#include <memory>
#include <string>

#include "engine/bench/random_source.h"
#include "engine/bench/random_tensors.h"
#include "kernels/core/error.h"

namespace percept {
namespace {

struct NamedShape {
  std::string_view name;
  std::string_view config;  // as a config.json states it
};

// Spec: text-decoder, section 1.1; vision, section 1.2.
constexpr NamedShape kShapes[] = {{"e2b", R"json({
  "model_type": "gemma4",
  "text_config": {
    "vocab_size": 262144, "vocab_size_per_layer_input": 262144, "hidden_size": 1536, "intermediate_size": 6144,
    "num_hidden_layers": 35, "num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 256,
    "global_head_dim": 512, "hidden_size_per_layer_input": 256, "num_kv_shared_layers": 20,
    "use_double_wide_mlp": true, "sliding_window": 512, "final_logit_softcapping": 30.0, "rms_norm_eps": 1e-06,
    "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 131072, "tie_word_embeddings": true,
    "attention_k_eq_v": false, "enable_moe_block": false, "use_bidirectional_attention": null,
    "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1,
    "layer_types": [
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention"],
    "rope_parameters": {
      "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
      "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1000000.0}}
  },
  "vision_config": {
    "model_type": "gemma4_vision", "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 16,
    "num_attention_heads": 12, "num_key_value_heads": 12, "head_dim": 64, "patch_size": 16, "pooling_kernel_size": 3,
    "position_embedding_size": 10240, "use_clipped_linears": true, "standardize": false, "rms_norm_eps": 1e-06,
    "hidden_activation": "gelu_pytorch_tanh", "rope_parameters": {"rope_type": "default", "rope_theta": 100.0}
  },
  "boi_token_id": 255999, "image_token_id": 258880, "eoi_token_id": 258882, "boa_token_id": 256000,
  "audio_token_id": 258881, "eoa_token_id": 258883, "video_token_id": 258884, "pad_token_id": 0, "bos_token_id": 2,
  "eos_token_id": [1, 106], "tie_word_embeddings": true
})json"}};

const NamedShape& FindShape(std::string_view name) {
  std::string names;
  for (const NamedShape& shape : kShapes) {
    if (shape.name == name) {
      return shape;
    }
    names += (names.empty() ? "" : ", ") + std::string(shape.name);
  }
  throw ArgumentError("no shape named '" + std::string(name) + "'; there is " + names);
}

}  // namespace

std::vector<std::string_view> RandomModelShapes() {
  std::vector<std::string_view> names;
  for (const NamedShape& shape : kShapes) {
    names.push_back(shape.name);
  }
  return names;
}

ModelConfig RandomModelConfig(std::string_view shape) {
  const NamedShape& named = FindShape(shape);
  const std::string file = "shape " + std::string(named.name);
  return {.text = ParseTextConfig(named.config, file),
          .vision = ParseVisionConfig(named.config, file),
          .audio = std::nullopt};
}

LoadedWeights RandomModel(std::string_view shape, const KernelContext& context) {
  const ModelConfig config = RandomModelConfig(shape);
  return LoadedWeights(std::make_unique<RandomSource>(TensorsOf(config.text, *config.vision)), config, context);
}

}  // namespace percept
