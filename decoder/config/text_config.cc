// SPDX-License-Identifier: Apache-2.0
// Reads config.json (spec: text-decoder, section 1.4).
#include "decoder/config/text_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "decoder/config/layer_rules.h"
#include "kernels/core/error.h"
#include "kernels/core/quoted.h"
#include "kernels/weights/json_section.h"

namespace percept {
namespace {

const char* KindKey(AttentionKind kind) {
  return kind == AttentionKind::kSliding ? "sliding_attention" : "full_attention";
}

// What a layer has of its own in the newer form of the file.
struct LayerOverride {
  std::optional<int> head_dim;
  std::optional<int> num_kv_heads;
};

std::map<int, LayerOverride> ReadOverrides(const JsonSection& text, int num_layers) {
  std::map<int, LayerOverride> overrides;
  if (!text.Has("per_layer_config")) return overrides;
  const JsonSection section = text.Section("per_layer_config");
  for (const auto& [key, value] : section.object().items()) {
    int layer_idx = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), layer_idx);
    if (error != std::errc() || end != key.data() + key.size() || layer_idx < 0 || layer_idx >= num_layers) {
      section.Fail(key, "is no layer index below " + std::to_string(num_layers));
    }
    const JsonSection layer = section.Section(key);
    overrides[layer_idx] = {layer.OptionalInt("head_dim", 2, kMaxWidth),
                            layer.OptionalInt("num_key_value_heads", 1, kMaxWidth)};
  }
  return overrides;
}

std::vector<AttentionKind> ReadKinds(const JsonSection& text, int num_layers) {
  std::vector<AttentionKind> kinds(num_layers, AttentionKind::kSliding);
  if (text.Has("layer_types")) {
    const nlohmann::json& types = text.object().at("layer_types");
    if (!types.is_array() || static_cast<int>(types.size()) != num_layers) {
      text.Fail("layer_types", "is not a list of num_hidden_layers (" + std::to_string(num_layers) + ") strings");
    }
    for (int i = 0; i < num_layers; ++i) {
      if (types[i] == KindKey(AttentionKind::kFull)) {
        kinds[i] = AttentionKind::kFull;
      } else if (types[i] != KindKey(AttentionKind::kSliding)) {
        text.Fail("layer_types[" + std::to_string(i) + "]", "is neither 'sliding_attention' nor 'full_attention'");
      }
    }
  } else {
    for (int i = 5; i < num_layers; i += 6) kinds[i] = AttentionKind::kFull;
  }
  kinds.back() = AttentionKind::kFull;
  return kinds;
}

RopeSpec ReadRope(const JsonSection& text, AttentionKind kind, int head_dim) {
  const JsonSection rope = text.Section("rope_parameters").Section(KindKey(kind));
  RopeSpec spec;
  spec.head_dim = head_dim;
  spec.theta = rope.Number("rope_theta");
  if (!(spec.theta > 1 && spec.theta <= kMaxTheta)) rope.Fail("rope_theta", "is outside (1, 1e12]");
  const std::string type = rope.String("rope_type");
  if (type == "proportional") {
    spec.kind = RopeKind::kProportional;
    spec.partial_factor = rope.Number("partial_rotary_factor");
    if (!(spec.partial_factor > 0 && spec.partial_factor <= 1)) rope.Fail("partial_rotary_factor", "is outside (0, 1]");
  } else if (type != "default") {
    rope.Fail("rope_type", "is " + Quoted(type) + ", neither 'default' nor 'proportional'");
  }
  if (rope.OptionalNumber("factor").value_or(1) != 1) rope.Fail("factor", "is not 1: positions are never scaled");
  return spec;
}

class LayerReader {
 public:
  LayerReader(const JsonSection& text, TextConfig* config)
      : text_(text),
        config_(*config),
        num_layers_(text.Int("num_hidden_layers", 1, kMaxLayers)),
        num_shared_(text.OptionalInt("num_kv_shared_layers", 0, num_layers_).value_or(0)),
        kinds_(ReadKinds(text, num_layers_)),
        overrides_(ReadOverrides(text, num_layers_)) {}

  void Read() {
    for (int i = 0; i < num_layers_; ++i) config_.layers.push_back(ReadLayer(i));
  }

 private:
  bool shares_kv(int layer_idx) const { return layer_idx >= num_layers_ - num_shared_; }

  LayerConfig ReadLayer(int layer_idx) {
    LayerConfig layer;
    layer.kind = kinds_[layer_idx];
    layer.k_eq_v = layer.kind == AttentionKind::kFull && text_.BoolOr("attention_k_eq_v", false);
    layer.head_dim = HeadDim(layer_idx);
    layer.num_kv_heads = NumKvHeads(layer_idx, layer.k_eq_v);
    const bool is_wide = shares_kv(layer_idx) && text_.BoolOr("use_double_wide_mlp", false);
    layer.mlp_width = text_.Int("intermediate_size", 1, kMaxWidth) * (is_wide ? 2 : 1);
    layer.rope_idx = RopeIdx(ReadRope(text_, layer.kind, layer.head_dim), &config_.ropes);
    layer.kv_layer_idx = KvLayer(layer_idx);
    return layer;
  }

  // The released form has one width for all full layers, the newer one lists the layers that differ.
  int HeadDim(int layer_idx) const {
    constexpr int kDefaultGlobalHeadDim = 512;
    int head_dim = text_.Int("head_dim", 2, kMaxWidth);
    if (kinds_[layer_idx] == AttentionKind::kFull && !text_.Has("per_layer_config")) {
      head_dim = text_.OptionalInt("global_head_dim", 2, kMaxWidth).value_or(kDefaultGlobalHeadDim);
    }
    const auto found = overrides_.find(layer_idx);
    if (found != overrides_.end()) head_dim = found->second.head_dim.value_or(head_dim);
    const std::string of_layer = "of layer " + std::to_string(layer_idx);
    if (head_dim % 2 != 0) text_.Fail("head_dim", of_layer + " is odd");
    if (int64_t{head_dim} * config_.num_heads > kMaxWidth) {
      text_.Fail("head_dim", of_layer + " makes its " + std::to_string(config_.num_heads) + " heads wider than " +
                                 std::to_string(kMaxWidth));
    }
    return head_dim;
  }

  int NumKvHeads(int layer_idx, bool k_eq_v) const {
    int num_kv_heads = text_.Int("num_key_value_heads", 1, kMaxWidth);
    if (k_eq_v) {
      num_kv_heads = text_.OptionalInt("num_global_key_value_heads", 1, kMaxWidth).value_or(num_kv_heads);
    }
    const auto found = overrides_.find(layer_idx);
    if (found != overrides_.end()) num_kv_heads = found->second.num_kv_heads.value_or(num_kv_heads);
    if (config_.num_heads % num_kv_heads != 0) {
      text_.Fail("num_attention_heads", "(" + std::to_string(config_.num_heads) + ") is no multiple of the " +
                                            std::to_string(num_kv_heads) + " key and value heads of layer " +
                                            std::to_string(layer_idx));
    }
    return num_kv_heads;
  }

  int KvLayer(int layer_idx) const {
    if (config_.drafter) return TextConfig::kTargetKv;
    if (const std::optional<int> layer = KeyValueLayer(kinds_, num_shared_, layer_idx)) return *layer;
    text_.Fail("num_kv_shared_layers", "leaves layer " + std::to_string(layer_idx) + " no " +
                                           KindKey(kinds_[layer_idx]) + " layer to take keys and values from");
  }

  const JsonSection& text_;
  TextConfig& config_;
  const int num_layers_;
  const int num_shared_;
  const std::vector<AttentionKind> kinds_;
  const std::map<int, LayerOverride> overrides_;
};

std::optional<ExpertConfig> ReadExperts(const JsonSection& text) {
  if (!text.BoolOr("enable_moe_block", false)) return std::nullopt;
  ExpertConfig experts;
  experts.num_experts = text.Int("num_experts", 1, kMaxWidth);
  experts.num_experts_per_token = text.Int("top_k_experts", 1, experts.num_experts);
  const char* width_key = text.Has("expert_intermediate_size") ? "expert_intermediate_size" : "moe_intermediate_size";
  experts.width = text.Int(width_key, 1, kMaxWidth);
  return experts;
}

std::optional<DrafterConfig> ReadDrafter(const JsonSection& root) {
  if (!root.Has("backbone_hidden_size")) return std::nullopt;
  DrafterConfig drafter;
  drafter.backbone_hidden_size = root.Int("backbone_hidden_size", 1, kMaxWidth);
  if (root.BoolOr("use_ordered_embeddings", false)) {
    drafter.num_centroids = root.Int("num_centroids", 1, kMaxVocab);
    drafter.num_selected_centroids = root.Int("centroid_intermediate_top_k", 1, drafter.num_centroids);
  }
  return drafter;
}

// What PackedInt4Source reads: 4 bits, symmetric, groups of 32, activations as they are.
bool IsPackedInt4(const nlohmann::json& group) {
  const nlohmann::json weights = group.value("weights", nlohmann::json::object());
  const nlohmann::json expected = {
      {"num_bits", 4}, {"type", "int"}, {"symmetric", true}, {"strategy", "group"}, {"group_size", 32}};
  const auto is_null = [](const nlohmann::json& object, const char* key) {
    return !object.contains(key) || object.at(key).is_null();
  };
  if (!weights.is_object() || !is_null(weights, "actorder") || !is_null(group, "input_activations")) return false;
  for (const auto& [key, value] : expected.items()) {
    if (!weights.contains(key) || weights.at(key) != value) return false;
  }
  return true;
}

// The method of a compression that this program does not read.
std::string ReadCompression(const JsonSection& root) {
  if (!root.Has("quantization_config")) return {};
  const JsonSection compression = root.Section("quantization_config");
  std::string method = compression.String("quant_method");
  if (method != "compressed-tensors" || !compression.Has("config_groups")) return method;
  const std::string common_format = compression.OptionalString("format").value_or("");
  const JsonSection groups = compression.Section("config_groups");
  const bool is_read = std::all_of(groups.object().begin(), groups.object().end(), [&](const nlohmann::json& group) {
    return group.is_object() && group.value("format", common_format) == "pack-quantized" && IsPackedInt4(group);
  });
  return is_read ? "" : method + ", not symmetric groups of 32 codes of 4 bits";
}

BidirectionalAttention ReadBidirectional(const JsonSection& text) {
  const std::string value = text.OptionalString("use_bidirectional_attention").value_or("");
  if (value.empty()) return BidirectionalAttention::kNone;
  if (value == "vision") return BidirectionalAttention::kMediaRuns;
  if (value == "all") return BidirectionalAttention::kAll;
  text.Fail("use_bidirectional_attention", "is " + Quoted(value) + ", neither null nor 'vision' nor 'all'");
}

// A tower has layers; a direct projection has the width of what it projects instead.
EncoderKind ReadEncoder(const JsonSection& root, const char* key, const char* projection_key) {
  if (!root.Has(key)) return EncoderKind::kNone;
  return root.Section(key).Has(projection_key) ? EncoderKind::kDirectProjection : EncoderKind::kTower;
}

// Ids of media are at the root, those of text at the root or with the text.
ConfigTokenIds ReadTokenIds(const JsonSection& root, const JsonSection& text, int vocab_size) {
  const auto id = [&](const char* key) -> std::optional<int32_t> {
    const std::optional<int32_t> at_root = root.OptionalInt(key, 0, vocab_size - 1);
    const std::optional<int32_t> with_text = text.OptionalInt(key, 0, vocab_size - 1);
    if (at_root && with_text && at_root != with_text) {
      root.Fail(key, "is " + std::to_string(*at_root) + ", but text_config says " + std::to_string(*with_text));
    }
    return at_root ? at_root : with_text;
  };
  ConfigTokenIds ids;
  ids.bos = id("bos_token_id");
  ids.pad = id("pad_token_id");
  ids.boi = id("boi_token_id");
  ids.image = id("image_token_id");
  ids.eoi = id("eoi_token_id");
  ids.boa = id("boa_token_id");
  ids.audio = id("audio_token_id");
  ids.eoa = id(root.Has("eoa_token_id") ? "eoa_token_id" : "eoa_token_index");
  ids.video = id("video_token_id");
  ids.eos = (root.Has("eos_token_id") ? root : text).Ids("eos_token_id");
  return ids;
}

void ReadSizes(const JsonSection& root, const JsonSection& text, TextConfig* config) {
  config->vocab_size = text.Int("vocab_size", 1, kMaxVocab);
  config->hidden_size = text.Int("hidden_size", 1, kMaxWidth);
  config->num_heads = text.Int("num_attention_heads", 1, kMaxWidth);
  config->sliding_window = text.Int("sliding_window", 1, kMaxPositions);
  config->max_positions = text.Int("max_position_embeddings", 1, kMaxPositions);
  config->rms_norm_eps = text.Number("rms_norm_eps");
  if (!(config->rms_norm_eps > 0 && config->rms_norm_eps <= kMaxEpsilon)) {
    text.Fail("rms_norm_eps", "is outside (0, 1]");
  }
  // The cap changes what is sampled, so a file must say that it has none.
  if (!text.object().contains("final_logit_softcapping")) text.Fail("final_logit_softcapping", "is missing");
  config->logit_soft_cap = text.OptionalNumber("final_logit_softcapping").value_or(0);
  if (!(config->logit_soft_cap >= 0 && config->logit_soft_cap <= kMaxLogitCap)) {
    text.Fail("final_logit_softcapping", "is outside 0..1e6");
  }
  config->tied_embeddings = (text.Has("tie_word_embeddings") ? text : root).BoolOr("tie_word_embeddings", true);
  config->ple_width = text.OptionalInt("hidden_size_per_layer_input", 0, kMaxWidth).value_or(0);
  if (config->ple_width > 0) {
    config->ple_vocab_size = text.OptionalInt("vocab_size_per_layer_input", 1, kMaxVocab).value_or(config->vocab_size);
  }
}

void RequireKnownForm(const JsonSection& text) {
  constexpr const char* kActivation = "gelu_pytorch_tanh";
  const std::string activation = text.OptionalString("hidden_activation").value_or(kActivation);
  if (activation != kActivation)
    text.Fail("hidden_activation", "is " + Quoted(activation) + ", not '" + kActivation + "'");
  if (text.BoolOr("attention_bias", false)) text.Fail("attention_bias", "is true: no linear layer here has a bias");
}

// A file may state a full layer's sizes in both forms, but then alike.
void RequireAgreement(const JsonSection& text, int layer_idx, const char* key, int value) {
  const int stated = text.OptionalInt(key, 1, kMaxWidth).value_or(value);
  if (stated != value) {
    text.Fail(key, "is " + std::to_string(stated) + ", but per_layer_config gives layer " + std::to_string(layer_idx) +
                       " " + std::to_string(value));
  }
}

// What several keys say in contradiction to each other would otherwise be decided by the order of reading.
void RequireConsistent(const JsonSection& root, const JsonSection& text, const TextConfig& config) {
  for (int i = 0; i < config.num_layers(); ++i) {
    const LayerConfig& layer = config.layers[static_cast<size_t>(i)];
    if (layer.kind == AttentionKind::kFull && text.Has("per_layer_config")) {
      RequireAgreement(text, i, "global_head_dim", layer.head_dim);
      if (layer.k_eq_v) RequireAgreement(text, i, "num_global_key_value_heads", layer.num_kv_heads);
    }
  }
  constexpr const char* kTied = "tie_word_embeddings";
  if (root.Has(kTied) && text.Has(kTied) && root.BoolOr(kTied, true) != text.BoolOr(kTied, true)) {
    root.Fail(kTied, "is not what text_config says");
  }
  const ConfigTokenIds& ids = config.token_ids;
  if (ids.audio && (ids.audio == ids.image || ids.audio == ids.video)) {
    root.Fail("audio_token_id", "is " + std::to_string(*ids.audio) + ", as that of pictures or frames");
  }
}

}  // namespace

int RopeSpec::num_rotated_pairs() const { return static_cast<int>(partial_factor * head_dim / 2); }

TextConfig ParseTextConfig(std::string_view json, const std::string& file) {
  const nlohmann::json document = JsonSection::ParseRoot(json, file);
  const JsonSection root(document, "", file);
  const JsonSection text = root.Has("text_config") ? root.Section("text_config") : root;
  RequireKnownForm(text);
  TextConfig config;
  ReadSizes(root, text, &config);
  config.experts = ReadExperts(text);
  config.drafter = ReadDrafter(root);
  config.bidirectional = ReadBidirectional(text);
  config.vision = ReadEncoder(root, "vision_config", "mm_embed_dim");
  config.audio = ReadEncoder(root, "audio_config", "audio_embed_dim");
  config.weight_compression = ReadCompression(root);
  LayerReader(text, &config).Read();
  config.token_ids = ReadTokenIds(root, text, config.vocab_size);
  RequireConsistent(root, text, config);
  return config;
}

TextConfig ReadTextConfig(const std::filesystem::path& file) {
  return ParseTextConfig(ReadTextFile(file), file.string());
}

void RequireSupported(const TextConfig& config, const std::string& file) {
  if (config.drafter) {
    throw CheckpointError(file +
                          ": a drafter (backbone_hidden_size), which reads the keys and values of another model and "
                          "answers nothing by itself: name it as the drafter of that model");
  }
  std::vector<std::string> missing;
  if (config.bidirectional == BidirectionalAttention::kAll) {
    missing.push_back("bidirectional attention (use_bidirectional_attention 'all')");
  }
  if (!config.weight_compression.empty()) {
    missing.push_back("compressed weights (quant_method " + Quoted(config.weight_compression) + ")");
  }
  if (missing.empty()) return;
  std::string message = file + ": this version cannot run";
  for (size_t i = 0; i < missing.size(); ++i) message += (i == 0 ? " " : ", ") + missing[i];
  throw CheckpointError(message);
}

}  // namespace percept
