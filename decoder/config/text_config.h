// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace percept {

enum class AttentionKind { kSliding, kFull };

// kDefault rotates every lane; kProportional rotates the first partial_factor of the pairs and keeps the exponent's
// denominator at the full head_dim (spec: text-decoder, section 2).
enum class RopeKind { kDefault, kProportional };

// One table of frequencies. Lane i pairs with lane i + head_dim / 2.
struct RopeSpec {
  RopeKind kind = RopeKind::kDefault;
  double theta = 0;
  double partial_factor = 1;
  int head_dim = 0;

  int num_rotated_pairs() const;
  bool operator==(const RopeSpec&) const = default;
};

struct LayerConfig {
  AttentionKind kind = AttentionKind::kSliding;
  int head_dim = 0;
  int num_kv_heads = 0;
  int rope_idx = 0;  // into TextConfig::ropes
  int mlp_width = 0;
  // Layer of this model whose keys and values are attended to: the layer's own index where it has its own,
  // TextConfig::kTargetKv where they are those of another model (drafters).
  int kv_layer_idx = 0;
  bool k_eq_v = false;  // values are made from the key projection; there is no value projection

  bool operator==(const LayerConfig&) const = default;
};

struct ExpertConfig {
  int num_experts = 0;
  int num_experts_per_token = 0;
  int width = 0;

  bool operator==(const ExpertConfig&) const = default;
};

// A model that drafts for another one and reads that one's keys and values (spec: text-decoder, section 6).
struct DrafterConfig {
  int backbone_hidden_size = 0;
  int num_centroids = 0;  // 0: plain output head
  int num_selected_centroids = 0;

  bool operator==(const DrafterConfig&) const = default;
};

// Which tokens see later ones: none, those of the same run of image or video rows, or all.
enum class BidirectionalAttention { kNone, kMediaRuns, kAll };

// What the rows of a media run see beside what a causal mask shows them, where the model lets them see each other (spec
// text-decoder 4). No file names it: the first is what the models were trained with.
enum class MediaRunMask {
  kSlidingLayers,    // in sliding layers: the later rows of their run
  kSlidingTwoSided,  // likewise, but none that lies a window or more ahead
  kAllLayers,        // in all layers: their whole run, the rows behind the window included
};

// How pictures or sound become soft tokens: not at all, by a tower, or by a projection of the raw values.
enum class EncoderKind { kNone, kTower, kDirectProjection };

// Ids that config.json names. SpecialTokens (decoder/text) has all of them by token string.
struct ConfigTokenIds {
  std::optional<int32_t> bos, pad;
  std::optional<int32_t> boi, image, eoi;
  std::optional<int32_t> boa, audio, eoa;
  std::optional<int32_t> video;
  std::vector<int32_t> eos;  // sorted

  bool operator==(const ConfigTokenIds&) const = default;
};

// What a text decoder is made of. It names mechanisms and sizes, never a model.
struct TextConfig {
  static constexpr int kTargetKv = -1;

  int vocab_size = 0;
  int hidden_size = 0;
  int num_heads = 0;
  int sliding_window = 0;  // tokens a sliding layer sees, the token itself included
  int max_positions = 0;
  double rms_norm_eps = 0;
  double logit_soft_cap = 0;  // 0: none
  bool tied_embeddings = true;
  int ple_width = 0;  // width of the per-layer embeddings, 0: none
  int ple_vocab_size = 0;
  BidirectionalAttention bidirectional = BidirectionalAttention::kNone;
  MediaRunMask media_run_mask = MediaRunMask::kSlidingLayers;  // under kMediaRuns; not read from the file
  std::optional<ExpertConfig> experts;
  std::optional<DrafterConfig> drafter;
  EncoderKind vision = EncoderKind::kNone;
  EncoderKind audio = EncoderKind::kNone;
  std::string weight_compression;  // quantization_config.quant_method that cannot be read; empty: none
  std::vector<LayerConfig> layers;
  std::vector<RopeSpec> ropes;
  ConfigTokenIds token_ids;

  int num_layers() const { return static_cast<int>(layers.size()); }
  bool owns_kv(int layer_idx) const { return layers[layer_idx].kv_layer_idx == layer_idx; }
  bool is_placeholder(int32_t id) const {
    return id == token_ids.image || id == token_ids.audio || id == token_ids.video;
  }
  // Whether a soft token in the place of `id` is part of a media run: pictures and frames, not sound.
  bool joins_media_run(int32_t id) const { return id == token_ids.image || id == token_ids.video; }
  bool operator==(const TextConfig&) const = default;
};

// Reads config.json, in the released form (global_head_dim) and in the newer one (per_layer_config).
// `file` is the name in messages. Throws CheckpointError that names file and key.
TextConfig ParseTextConfig(std::string_view json, const std::string& file);
TextConfig ReadTextConfig(const std::filesystem::path& file);

// Throws CheckpointError that lists every mechanism of the configuration that this program cannot run, and for a
// drafter, which is no model by itself (RequireDrafterFor).
void RequireSupported(const TextConfig& config, const std::string& file);

}  // namespace percept
