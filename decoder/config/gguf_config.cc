// SPDX-License-Identifier: Apache-2.0
#include "decoder/config/gguf_config.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "decoder/config/layer_rules.h"
#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

constexpr std::string_view kTextArchitecture = "gemma4";
constexpr std::string_view kDrafterArchitecture = "gemma4-assistant";
constexpr double kPartialFactor = 0.25;  // of full layers, where the file has no table

class TextReader {
 public:
  explicit TextReader(const GgufSource& source)
      : source_(source), metadata_(source.metadata(0)), architecture_(metadata_.String("general.architecture")) {}

  TextConfig Read() {
    if (architecture_ != kTextArchitecture && architecture_ != kDrafterArchitecture) {
      metadata_.Fail("general.architecture", "is " + Quoted(architecture_) + ", not 'gemma4'");
    }
    ReadSizes();
    if (architecture_ == kDrafterArchitecture) {
      config_.drafter = DrafterConfig{.backbone_hidden_size = Int("embedding_length_out", 1, kMaxWidth)};
    }
    const int num_layers = Int("block_count", 1, kMaxLayers);
    ReadLayers(num_layers);
    ReadExperts();
    config_.bidirectional = config_.ple_width > 0 ? BidirectionalAttention::kNone : BidirectionalAttention::kMediaRuns;
    config_.tied_embeddings = source_.Find("lm_head.weight") == nullptr;
    ReadTokenIds();
    return std::move(config_);
  }

 private:
  std::string Key(std::string_view name) const { return architecture_ + "." + std::string(name); }

  int Int(std::string_view name, int64_t min, int64_t max) const {
    return Checked(name, metadata_.Integer(Key(name)), min, max);
  }

  int Checked(std::string_view name, int64_t value, int64_t min, int64_t max) const {
    if (value < min || value > max) {
      metadata_.Fail(Key(name),
                     "is " + std::to_string(value) + ", outside " + std::to_string(min) + ".." + std::to_string(max));
    }
    return static_cast<int>(value);
  }

  int IntOr(std::string_view name, int64_t min, int64_t max, int otherwise) const {
    return metadata_.Has(Key(name)) ? Int(name, min, max) : otherwise;
  }

  void ReadSizes() {
    const size_t num_tokens = metadata_.StringList("tokenizer.ggml.tokens").size();
    config_.vocab_size = Checked("tokenizer.ggml.tokens", static_cast<int64_t>(num_tokens), 1, kMaxVocab);
    config_.hidden_size = Int("embedding_length", 1, kMaxWidth);
    config_.num_heads = Int("attention.head_count", 1, kMaxWidth);
    config_.sliding_window = Int("attention.sliding_window", 1, kMaxPositions);
    config_.max_positions = Int("context_length", 1, kMaxPositions);
    config_.rms_norm_eps = metadata_.Number(Key("attention.layer_norm_rms_epsilon"));
    if (!(config_.rms_norm_eps > 0 && config_.rms_norm_eps <= kMaxEpsilon)) {
      metadata_.Fail(Key("attention.layer_norm_rms_epsilon"), "is outside (0, 1]");
    }
    const std::string soft_cap = Key("final_logit_softcapping");
    if (architecture_ != kDrafterArchitecture || metadata_.Has(soft_cap)) {
      config_.logit_soft_cap = metadata_.Number(soft_cap);
    }
    if (!(config_.logit_soft_cap >= 0 && config_.logit_soft_cap <= kMaxLogitCap)) {
      metadata_.Fail(soft_cap, "is outside 0..1e6");
    }
    config_.ple_width = IntOr("embedding_length_per_layer_input", 0, kMaxWidth, 0);
    if (config_.ple_width > 0) config_.ple_vocab_size = config_.vocab_size;
  }

  void ReadLayers(int num_layers) {
    const std::vector<int64_t> is_sliding = metadata_.Integers(Key("attention.sliding_window_pattern"), num_layers);
    const std::vector<int64_t> kv_heads = metadata_.Integers(Key("attention.head_count_kv"), num_layers);
    const std::vector<int64_t> mlp_widths = metadata_.Integers(Key("feed_forward_length"), num_layers);
    const int num_shared = IntOr("attention.shared_kv_layers", 0, num_layers, 0);
    const RopeSpec sliding = SlidingRope();
    const RopeSpec full = FullRope();
    std::vector<AttentionKind> kinds;
    for (const int64_t flag : is_sliding) kinds.push_back(flag != 0 ? AttentionKind::kSliding : AttentionKind::kFull);
    for (int i = 0; i < num_layers; ++i) {
      LayerConfig layer;
      layer.kind = kinds[i];
      const RopeSpec& rope = layer.kind == AttentionKind::kFull ? full : sliding;
      layer.head_dim = rope.head_dim;
      layer.rope_idx = RopeIdx(rope, &config_.ropes);
      layer.num_kv_heads = Checked("attention.head_count_kv", kv_heads[i], 1, kMaxWidth);
      if (config_.num_heads % layer.num_kv_heads != 0) {
        metadata_.Fail(Key("attention.head_count_kv"),
                       "of layer " + std::to_string(i) + " is " + std::to_string(layer.num_kv_heads) +
                           ", which does not divide the heads (" + std::to_string(config_.num_heads) + ")");
      }
      layer.mlp_width = Checked("feed_forward_length", mlp_widths[i], 1, kMaxWidth);
      const std::optional<int> kv_layer = config_.drafter ? TextConfig::kTargetKv : KeyValueLayer(kinds, num_shared, i);
      if (!kv_layer) {
        metadata_.Fail(Key("attention.shared_kv_layers"),
                       "leaves layer " + std::to_string(i) + " no layer to take keys and values from");
      }
      layer.kv_layer_idx = *kv_layer;
      layer.k_eq_v = layer.kind == AttentionKind::kFull && *kv_layer == i && !HasValues(i);
      config_.layers.push_back(layer);
    }
    RequireOneFormOfValues();
  }

  bool HasValues(int layer_idx) const {
    return source_.Find("model.language_model.layers." + std::to_string(layer_idx) + ".self_attn.v_proj.weight") !=
           nullptr;
  }

  // A file that lacks a single tensor is damaged, not of another form.
  void RequireOneFormOfValues() const {
    std::optional<int> with;
    std::optional<int> without;
    for (int i = 0; i < config_.num_layers(); ++i) {
      if (config_.layers[i].kind != AttentionKind::kFull || !config_.owns_kv(i)) continue;
      (config_.layers[i].k_eq_v ? without : with) = i;
    }
    if (with && without) {
      throw CheckpointError(metadata_.file() + ": tensor 'blk." + std::to_string(*without) +
                            ".attn_v.weight' is missing, but layer " + std::to_string(*with) + " has its own");
    }
  }

  int HeadDim(std::string_view suffix) const {
    const std::string length = "attention.key_length" + std::string(suffix);
    const int head_dim = Int(length, 2, kMaxWidth);
    for (const char* other : {"attention.value_length", "rope.dimension_count"}) {
      const std::string name = other + std::string(suffix);
      if (Int(name, 0, kMaxWidth) != head_dim) {
        metadata_.Fail(Key(name), "is not that of '" + Key(length) + "' (" + std::to_string(head_dim) + ")");
      }
    }
    if (head_dim % 2 != 0) metadata_.Fail(Key(length), "is odd");
    if (int64_t{head_dim} * config_.num_heads > kMaxWidth) {
      metadata_.Fail(Key(length),
                     "makes " + std::to_string(config_.num_heads) + " heads wider than " + std::to_string(kMaxWidth));
    }
    return head_dim;
  }

  double Theta(std::string_view name) const {
    const double theta = metadata_.Number(Key(name));
    if (!(theta > 1 && theta <= kMaxTheta)) metadata_.Fail(Key(name), "is outside (1, 1e12]");
    return theta;
  }

  RopeSpec SlidingRope() const {
    return {.kind = RopeKind::kDefault, .theta = Theta("rope.freq_base_swa"), .head_dim = HeadDim("_swa")};
  }

  RopeSpec FullRope() const {
    RopeSpec spec{.kind = RopeKind::kProportional, .theta = Theta("rope.freq_base"), .head_dim = HeadDim("")};
    spec.partial_factor = PartialFactor(spec.head_dim / 2);
    return spec;
  }

  // The table divides the frequency of each pair: by 1, or by so much that the pair stands still.
  double PartialFactor(int num_pairs) const {
    const ConstTensor* table = source_.Find("rope_freqs.weight");
    if (table == nullptr) return kPartialFactor;
    const auto fail = [&](const std::string& reason) {
      throw CheckpointError(metadata_.file() + ": tensor 'rope_freqs.weight' " + reason);
    };
    if (table->dtype != DType::kF32 || table->shape != Shape({num_pairs})) {
      fail("is not F32 of [" + std::to_string(num_pairs) + "]");
    }
    const float* divisors = table->f32();
    const float* still = std::find_if(divisors, divisors + num_pairs, [](float divisor) { return divisor != 1; });
    if (std::any_of(still, divisors + num_pairs, [](float divisor) { return divisor < 1e20f; })) {
      fail("scales frequencies, which no model here does");
    }
    return static_cast<double>(still - divisors) / num_pairs;
  }

  void ReadExperts() {
    const int num_experts = IntOr("expert_count", 0, kMaxWidth, 0);
    if (num_experts == 0) return;
    config_.experts = ExpertConfig{.num_experts = num_experts,
                                   .num_experts_per_token = Int("expert_used_count", 1, num_experts),
                                   .width = Int("expert_feed_forward_length", 1, kMaxWidth)};
  }

  std::optional<int32_t> TokenId(std::string_view key) const {
    if (!metadata_.Has(key)) return std::nullopt;
    const int64_t id = metadata_.Integer(key);
    if (id < 0 || id >= config_.vocab_size) {
      metadata_.Fail(key, "is " + std::to_string(id) + ", no token of the vocabulary");
    }
    return static_cast<int32_t>(id);
  }

  void ReadTokenIds() {
    config_.token_ids.bos = TokenId("tokenizer.ggml.bos_token_id");
    config_.token_ids.pad = TokenId("tokenizer.ggml.padding_token_id");
    if (const std::optional<int32_t> eos = TokenId("tokenizer.ggml.eos_token_id")) config_.token_ids.eos = {*eos};
    ConfigTokenIds& ids = config_.token_ids;
    const std::pair<std::string_view, std::optional<int32_t>*> named[] = {
        {"<|image>", &ids.boi},    {"<|image|>", &ids.image}, {"<image|>", &ids.eoi},    {"<|audio>", &ids.boa},
        {"<|audio|>", &ids.audio}, {"<audio|>", &ids.eoa},    {"<|video|>", &ids.video},
    };
    const std::vector<std::string_view>& tokens = metadata_.StringList("tokenizer.ggml.tokens");
    for (const auto& [token, id] : named) {
      const auto it = std::find(tokens.begin(), tokens.end(), token);
      if (it != tokens.end()) *id = static_cast<int32_t>(it - tokens.begin());
    }
  }

  const GgufSource& source_;
  const GgufMetadata& metadata_;
  const std::string architecture_;
  TextConfig config_;
};

}  // namespace

TextConfig TextConfigFromGguf(const GgufSource& source) { return TextReader(source).Read(); }

GenerationConfig GenerationConfigFromGguf(const GgufMetadata& metadata) {
  GenerationConfig config;
  if (constexpr std::string_view kKey = "general.sampling.temp"; metadata.Has(kKey)) {
    config.temperature = metadata.Number(kKey);
    if (!(config.temperature >= 0)) metadata.Fail(kKey, "is negative");
  }
  if (constexpr std::string_view kKey = "general.sampling.top_p"; metadata.Has(kKey)) {
    config.top_p = metadata.Number(kKey);
    if (!(config.top_p > 0 && config.top_p <= 1)) metadata.Fail(kKey, "is outside (0, 1]");
  }
  if (constexpr std::string_view kKey = "general.sampling.top_k"; metadata.Has(kKey)) {
    const int64_t top_k = metadata.Integer(kKey);
    if (top_k < 0 || top_k > kMaxVocab) metadata.Fail(kKey, "is " + std::to_string(top_k));
    config.top_k = static_cast<int>(top_k);
  }
  if (constexpr std::string_view kKey = "tokenizer.ggml.suppress_tokens"; metadata.Has(kKey)) {
    for (const int64_t id : metadata.IntegerList(kKey)) {
      if (id < 0 || id >= kMaxVocab) metadata.Fail(kKey, "holds " + std::to_string(id));
      config.suppress_ids.push_back(static_cast<int32_t>(id));
    }
    std::sort(config.suppress_ids.begin(), config.suppress_ids.end());
  }
  return config;
}

}  // namespace percept
