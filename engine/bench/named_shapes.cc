// SPDX-License-Identifier: Apache-2.0
#include "engine/bench/named_shapes.h"

#include "kernels/core/error.h"

namespace percept {
namespace {

struct NamedShape {
  std::string_view name;
  std::string_view text;    // what text_config states beside kCommonText
  std::string_view vision;  // what vision_config states
  std::string_view audio;   // what audio_config is
};

// Without layer_types every sixth layer is full.
constexpr std::string_view kCommonText = R"json(
    "vocab_size": 262144, "head_dim": 256, "global_head_dim": 512, "final_logit_softcapping": 30.0,
    "rms_norm_eps": 1e-06, "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": true,
    "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 1,
    "rope_parameters": {
      "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
      "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1000000.0}})json";

constexpr std::string_view kIds = R"json(
  "boi_token_id": 255999, "image_token_id": 258880, "eoi_token_id": 258882, "boa_token_id": 256000,
  "audio_token_id": 258881, "eoa_token_id": 258883, "video_token_id": 258884, "pad_token_id": 0, "bos_token_id": 2,
  "eos_token_id": [1, 106], "tie_word_embeddings": true)json";

constexpr std::string_view kSmallTower = R"json(
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 16, "num_attention_heads": 12,
    "num_key_value_heads": 12, "head_dim": 64, "patch_size": 16, "pooling_kernel_size": 3,
    "position_embedding_size": 10240, "use_clipped_linears": true, "standardize": false, "rms_norm_eps": 1e-06,
    "rope_parameters": {"rope_type": "default", "rope_theta": 100.0})json";

constexpr std::string_view kLargeTower = R"json(
    "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
    "num_key_value_heads": 16, "head_dim": 72, "patch_size": 16, "pooling_kernel_size": 3,
    "position_embedding_size": 10240, "use_clipped_linears": false, "standardize": true, "rms_norm_eps": 1e-06,
    "rope_parameters": {"rope_type": "default", "rope_theta": 100.0})json";

constexpr std::string_view kCells = R"json(
    "patch_size": 16, "pooling_kernel_size": 3, "model_patch_size": 48, "mm_embed_dim": 3840, "mm_posemb_size": 1120,
    "rms_norm_eps": 1e-06)json";

constexpr std::string_view kConformer = R"json({
    "hidden_size": 1024, "num_hidden_layers": 12, "num_attention_heads": 8, "subsampling_conv_channels": [128, 32],
    "conv_kernel_size": 5, "use_clipped_linears": true, "output_proj_dims": 1536})json";

constexpr std::string_view kFrames = R"json({"audio_embed_dim": 640, "output_proj_dims": 640})json";

constexpr std::string_view kNoSound = "null";

constexpr NamedShape kShapes[] = {{"e2b", R"json(
    "hidden_size": 1536, "intermediate_size": 6144, "num_hidden_layers": 35, "num_attention_heads": 8,
    "num_key_value_heads": 1, "hidden_size_per_layer_input": 256, "num_kv_shared_layers": 20,
    "use_double_wide_mlp": true, "sliding_window": 512, "max_position_embeddings": 131072,
    "layer_types": [
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention",
      "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention"])json",
                                   kSmallTower, kConformer},
                                  {"e4b", R"json(
    "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 42, "num_attention_heads": 8,
    "num_key_value_heads": 2, "hidden_size_per_layer_input": 256, "num_kv_shared_layers": 18,
    "sliding_window": 512, "max_position_embeddings": 131072)json",
                                   kSmallTower, kConformer},
                                  {"12b", R"json(
    "hidden_size": 3840, "intermediate_size": 15360, "num_hidden_layers": 48, "num_attention_heads": 16,
    "num_key_value_heads": 8, "num_global_key_value_heads": 1, "attention_k_eq_v": true,
    "use_bidirectional_attention": "vision", "sliding_window": 1024, "max_position_embeddings": 262144)json",
                                   kCells, kFrames},
                                  {"26b", R"json(
    "hidden_size": 2816, "intermediate_size": 2112, "num_hidden_layers": 30, "num_attention_heads": 16,
    "num_key_value_heads": 8, "num_global_key_value_heads": 2, "attention_k_eq_v": true, "enable_moe_block": true,
    "num_experts": 128, "top_k_experts": 8, "moe_intermediate_size": 704,
    "use_bidirectional_attention": "vision", "sliding_window": 1024, "max_position_embeddings": 262144)json",
                                   kLargeTower, kNoSound},
                                  {"31b", R"json(
    "hidden_size": 5376, "intermediate_size": 21504, "num_hidden_layers": 60, "num_attention_heads": 32,
    "num_key_value_heads": 16, "num_global_key_value_heads": 4, "attention_k_eq_v": true,
    "use_bidirectional_attention": "vision", "sliding_window": 1024, "max_position_embeddings": 262144)json",
                                   kLargeTower, kNoSound}};

}  // namespace

std::vector<std::string_view> ShapeNames() {
  std::vector<std::string_view> names;
  for (const NamedShape& shape : kShapes) {
    names.push_back(shape.name);
  }
  return names;
}

std::string ShapeConfig(std::string_view name) {
  for (const NamedShape& shape : kShapes) {
    if (shape.name == name) {
      return "{\"text_config\": {" + std::string(kCommonText) + "," + std::string(shape.text) +
             "}, \"vision_config\": {" + std::string(shape.vision) +
             "}, \"audio_config\": " + std::string(shape.audio) + "," + std::string(kIds) + "}";
    }
  }
  throw InternalError("no shape named " + std::string(name));
}

}  // namespace percept
