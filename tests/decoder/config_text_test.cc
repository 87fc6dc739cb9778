// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>

#include "decoder/config/text_config.h"
#include "kernels/core/error.h"
#include "tests/decoder/text_support.h"

namespace percept {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::filesystem::path ConfigFile(const std::string& variant, const char* name = "config.json") {
  return TestDataDir() / "config" / variant / name;
}

TextConfig Read(const std::string& variant) { return ReadTextConfig(ConfigFile(variant)); }

TextConfig Parse(const nlohmann::json& config) { return ParseTextConfig(config.dump(), "config.json"); }

std::vector<int> KvLayers(const TextConfig& config) {
  std::vector<int> idxs;
  for (const LayerConfig& layer : config.layers) idxs.push_back(layer.kv_layer_idx);
  return idxs;
}

std::vector<int> MlpWidths(const TextConfig& config) {
  std::vector<int> widths;
  for (const LayerConfig& layer : config.layers) widths.push_back(layer.mlp_width);
  return widths;
}

class EveryVariant : public ::testing::TestWithParam<const char*> {};

TEST_P(EveryVariant, BothFormsOfTheFileAreEqual) {
  EXPECT_EQ(Read(GetParam()), ReadTextConfig(ConfigFile(GetParam(), "config.v5.json")));
}

TEST_P(EveryVariant, TextFieldsMayStandAtTheRoot) {
  const nlohmann::json whole = ReadJson(ConfigFile(GetParam()));
  nlohmann::json flat = whole;
  flat.erase("text_config");
  // What the root states again (end tokens) wins in both forms.
  for (const auto& [key, value] : whole["text_config"].items()) {
    if (!flat.contains(key)) flat[key] = value;
  }
  EXPECT_EQ(Parse(flat), Parse(whole));
}

TEST_P(EveryVariant, LayersFitTogether) {
  const TextConfig config = Read(GetParam());
  EXPECT_EQ(config.layers.back().kind, AttentionKind::kFull);
  for (int i = 0; i < config.num_layers(); ++i) {
    const LayerConfig& layer = config.layers[i];
    const LayerConfig& donor = config.layers[layer.kv_layer_idx];
    EXPECT_TRUE(config.owns_kv(layer.kv_layer_idx)) << i;
    EXPECT_EQ(donor.kind, layer.kind) << i;
    EXPECT_EQ(config.ropes[layer.rope_idx].head_dim, layer.head_dim) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Config, EveryVariant, ::testing::Values("e2b", "e4b", "12b", "26b", "31b", "e2b-256"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(TextConfig, SharedKeysWideLayersAndPerLayerEmbeddings) {
  const TextConfig config = Read("e2b");
  EXPECT_EQ(config.vocab_size, 512);
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.num_heads, 4);
  EXPECT_EQ(config.num_layers(), 10);
  EXPECT_EQ(config.sliding_window, 16);
  EXPECT_EQ(config.max_positions, 4096);
  EXPECT_EQ(config.rms_norm_eps, 1e-6);
  EXPECT_EQ(config.logit_soft_cap, 30.0);
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_EQ(config.ple_width, 16);
  EXPECT_EQ(config.ple_vocab_size, 512);
  EXPECT_EQ(config.bidirectional, BidirectionalAttention::kNone);
  EXPECT_EQ(config.vision, EncoderKind::kTower);
  EXPECT_EQ(config.audio, EncoderKind::kTower);
  EXPECT_THAT(KvLayers(config), ElementsAre(0, 1, 2, 3, 4, 3, 3, 3, 3, 4));
  EXPECT_THAT(MlpWidths(config), ElementsAre(128, 128, 128, 128, 128, 256, 256, 256, 256, 256));
  EXPECT_EQ(config.layers[3].head_dim, 16);
  EXPECT_EQ(config.layers[4].head_dim, 32);
  EXPECT_EQ(config.layers[4].num_kv_heads, 1);
  const RopeSpec sliding{RopeKind::kDefault, 1e4, 1, 16};
  const RopeSpec full{RopeKind::kProportional, 1e6, 0.25, 32};
  EXPECT_THAT(config.ropes, ElementsAre(sliding, full));
  EXPECT_EQ(sliding.num_rotated_pairs(), 8);
  EXPECT_EQ(full.num_rotated_pairs(), 4);
}

TEST(TextConfig, TokenIds) {
  const ConfigTokenIds ids = Read("e2b").token_ids;
  EXPECT_EQ(ids.bos, 2);
  EXPECT_EQ(ids.pad, 0);
  EXPECT_EQ(ids.boi, 504);
  EXPECT_EQ(ids.image, 506);
  EXPECT_EQ(ids.eoi, 508);
  EXPECT_EQ(ids.boa, 505);
  EXPECT_EQ(ids.audio, 507);
  EXPECT_EQ(ids.eoa, 509);
  EXPECT_EQ(ids.video, 510);
  EXPECT_THAT(ids.eos, ElementsAre(1, 16));
}

TEST(TextConfig, EndOfAudioHasTwoNames) {
  nlohmann::json config = ReadJson(ConfigFile("e2b"));
  config.erase("eoa_token_id");
  EXPECT_EQ(Parse(config).token_ids.eoa, 509);
}

TEST(TextConfig, DonorIsTheLastLayerOfTheSameKind) {
  const TextConfig config = Read("e4b");
  EXPECT_THAT(KvLayers(config), ElementsAre(0, 1, 2, 3, 4, 5, 4, 4, 4, 4, 4, 5));
  EXPECT_THAT(MlpWidths(config), ::testing::Each(160));
}

TEST(TextConfig, ValuesFromKeysOnFullLayersOnly) {
  const TextConfig config = Read("12b");
  for (const LayerConfig& layer : config.layers) {
    const bool is_full = layer.kind == AttentionKind::kFull;
    EXPECT_EQ(layer.k_eq_v, is_full);
    EXPECT_EQ(layer.num_kv_heads, is_full ? 1 : 2);
  }
  EXPECT_EQ(config.bidirectional, BidirectionalAttention::kMediaRuns);
  EXPECT_EQ(config.ple_width, 0);
  EXPECT_EQ(config.vision, EncoderKind::kDirectProjection);
  EXPECT_EQ(config.audio, EncoderKind::kDirectProjection);
}

TEST(TextConfig, GlobalKvHeadsCountOnlyWhereKeysAreValues) {
  nlohmann::json config = ReadJson(ConfigFile("e2b"));
  config["text_config"]["num_global_key_value_heads"] = 4;
  EXPECT_EQ(Parse(config).layers[4].num_kv_heads, 1);
}

TEST(TextConfig, Experts) {
  const TextConfig config = Read("26b");
  EXPECT_EQ(config.experts, (ExpertConfig{16, 4, 24}));
  EXPECT_THAT(MlpWidths(config), ::testing::Each(48));
  EXPECT_EQ(config.audio, EncoderKind::kNone);
  nlohmann::json early = ReadJson(ConfigFile("26b"));
  early["text_config"]["expert_intermediate_size"] = early["text_config"]["moe_intermediate_size"];
  early["text_config"].erase("moe_intermediate_size");
  EXPECT_EQ(Parse(early), config);
}

TEST(TextConfig, PleVocabularyAloneMeansNothing) {
  nlohmann::json config = ReadJson(ConfigFile("31b"));
  ASSERT_EQ(config["text_config"]["vocab_size_per_layer_input"], 512);
  config["text_config"].erase("hidden_size_per_layer_input");
  EXPECT_EQ(Parse(config).ple_width, 0);
}

TEST(TextConfig, FullHeadDimDefaultsTo512) {
  nlohmann::json config = ReadJson(ConfigFile("e2b"));
  config["text_config"].erase("global_head_dim");
  EXPECT_EQ(Parse(config).layers[4].head_dim, 512);
}

TEST(TextConfig, LayersWithoutAnOverrideHaveTheCommonHeadDim) {
  nlohmann::json config = ReadJson(ConfigFile("e2b", "config.v5.json"));
  config["text_config"]["per_layer_config"].erase("4");
  const TextConfig parsed = Parse(config);
  EXPECT_EQ(parsed.layers[4].head_dim, 16);
  EXPECT_EQ(parsed.layers[9].head_dim, 32);
}

TEST(TextConfig, WithoutLayerTypesEverySixthAndTheLastAreFull) {
  nlohmann::json config = ReadJson(ConfigFile("e2b"));
  config["text_config"].erase("layer_types");
  config["text_config"]["num_kv_shared_layers"] = 2;
  const TextConfig parsed = Parse(config);
  std::vector<int> full;
  for (int i = 0; i < parsed.num_layers(); ++i) {
    if (parsed.layers[i].kind == AttentionKind::kFull) full.push_back(i);
  }
  EXPECT_THAT(full, ElementsAre(5, 9));
}

TEST(TextConfig, DraftersReadTheirTargetsKeys) {
  const TextConfig ordered = Read("e2b-drafter");
  EXPECT_EQ(ordered.drafter, (DrafterConfig{64, 32, 4}));
  EXPECT_THAT(KvLayers(ordered), ::testing::Each(TextConfig::kTargetKv));
  EXPECT_EQ(ordered.logit_soft_cap, 0);
  EXPECT_EQ(Read("31b-drafter").drafter, (DrafterConfig{96, 0, 0}));
  nlohmann::json unshared = ReadJson(ConfigFile("31b-drafter"));
  unshared["text_config"]["num_kv_shared_layers"] = 0;
  EXPECT_THAT(KvLayers(Parse(unshared)), ::testing::Each(TextConfig::kTargetKv));
}

struct BadConfig {
  const char* name;
  std::function<void(nlohmann::json&)> spoil;
  const char* message;
};

void PrintTo(const BadConfig& config, std::ostream* out) { *out << config.name; }

nlohmann::json& Text(nlohmann::json& config) { return config["text_config"]; }

class BadConfigs : public ::testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigs, NameFileAndKey) {
  nlohmann::json config = ReadJson(ConfigFile("26b"));
  GetParam().spoil(config);
  EXPECT_THAT(MessageOf<CheckpointError>([&] { Parse(config); }), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Config, BadConfigs,
    ::testing::Values(
        BadConfig{"Missing", [](auto& c) { Text(c).erase("hidden_size"); },
                  "config.json: text_config.hidden_size is missing"},
        BadConfig{"WrongType", [](auto& c) { Text(c)["hidden_size"] = "wide"; },
                  "text_config.hidden_size is not an integer but \"wide\""},
        BadConfig{"Fraction", [](auto& c) { Text(c)["head_dim"] = 16.5; },
                  "text_config.head_dim is not an integer but 16.5"},
        BadConfig{"Huge", [](auto& c) { Text(c)["num_hidden_layers"] = uint64_t{1} << 63; },
                  "text_config.num_hidden_layers is 9223372036854775808, outside 1..4096"},
        BadConfig{"Negative", [](auto& c) { Text(c)["sliding_window"] = -1; },
                  "text_config.sliding_window is -1, outside 1.."},
        BadConfig{"NoCap", [](auto& c) { Text(c).erase("final_logit_softcapping"); },
                  "text_config.final_logit_softcapping is missing"},
        BadConfig{"NoRope", [](auto& c) { Text(c)["rope_parameters"].erase("full_attention"); },
                  "text_config.rope_parameters.full_attention is missing"},
        BadConfig{"RopeType", [](auto& c) { Text(c)["rope_parameters"]["full_attention"]["rope_type"] = "yarn"; },
                  "rope_type is 'yarn', neither 'default' nor 'proportional'"},
        BadConfig{"RopeScaled", [](auto& c) { Text(c)["rope_parameters"]["full_attention"]["factor"] = 8.0; },
                  "full_attention.factor is not 1"},
        BadConfig{"LayerTypes", [](auto& c) { Text(c)["layer_types"].push_back("full_attention"); },
                  "layer_types is not a list of num_hidden_layers (12) strings"},
        BadConfig{"LayerType", [](auto& c) { Text(c)["layer_types"][3] = "linear"; },
                  "layer_types[3] is neither 'sliding_attention' nor 'full_attention'"},
        BadConfig{"KvHeads", [](auto& c) { Text(c)["num_key_value_heads"] = 3; },
                  "num_attention_heads (8) is no multiple of the 3 key and value heads of layer 0"},
        BadConfig{"NoDonor", [](auto& c) { Text(c)["num_kv_shared_layers"] = 8; },
                  "num_kv_shared_layers leaves layer 5 no full_attention layer"},
        BadConfig{"TopExperts", [](auto& c) { Text(c)["top_k_experts"] = 17; }, "top_k_experts is 17, outside 1..16"},
        BadConfig{"Override", [](auto& c) { Text(c)["per_layer_config"]["12"]["head_dim"] = 32; },
                  "per_layer_config.12 is no layer index below 12"},
        BadConfig{"OverrideName", [](auto& c) { Text(c)["per_layer_config"]["5x"]["head_dim"] = 32; },
                  "per_layer_config.5x is no layer index"},
        BadConfig{"TwoHeadDims",
                  [](auto& c) {
                    for (const char* layer : {"5", "11"}) Text(c)["per_layer_config"][layer]["head_dim"] = 64;
                  },
                  "text_config.global_head_dim is 32, but per_layer_config gives layer 5 64"},
        BadConfig{"TwoKvHeads",
                  [](auto& c) {
                    for (const char* layer : {"5", "11"}) {
                      Text(c)["per_layer_config"][layer] = {{"head_dim", 32}, {"num_key_value_heads", 4}};
                    }
                  },
                  "num_global_key_value_heads is 2, but per_layer_config gives layer 5 4"},
        BadConfig{"Tied",
                  [](auto& c) { c["tie_word_embeddings"] = !Text(c)["tie_word_embeddings"].template get<bool>(); },
                  "config.json: tie_word_embeddings is not what text_config says"},
        BadConfig{"TwoPadIds", [](auto& c) { c["pad_token_id"] = 7; }, "pad_token_id is 7, but text_config says 0"},
        BadConfig{"RopeBase", [](auto& c) { Text(c)["rope_parameters"]["full_attention"]["rope_theta"] = 1e300; },
                  "text_config.rope_parameters.full_attention.rope_theta is outside (1, 1e12]"},
        BadConfig{"Epsilon", [](auto& c) { Text(c)["rms_norm_eps"] = 2; },
                  "text_config.rms_norm_eps is outside (0, 1]"},
        BadConfig{"Cap", [](auto& c) { Text(c)["final_logit_softcapping"] = 1e9; },
                  "text_config.final_logit_softcapping is outside 0..1e6"},
        BadConfig{"WideHeads", [](auto& c) { Text(c)["head_dim"] = 1 << 20; },
                  "text_config.head_dim of layer 0 makes its 8 heads wider than 1048576"},
        BadConfig{
            "NoLayerTypes",
            [](auto& c) {
              Text(c).erase("layer_types");
              Text(c)["num_kv_shared_layers"] = 7;
            },
            "text_config.num_kv_shared_layers leaves layer 5 no full_attention layer to take keys and values from"},
        BadConfig{"SameMarks", [](auto& c) { c["audio_token_id"] = c["image_token_id"]; },
                  "audio_token_id is 506, as that of pictures or frames"},
        BadConfig{"NoExperts", [](auto& c) { Text(c)["num_experts"] = nullptr; }, "text_config.num_experts is missing"},
        BadConfig{"NoRopes", [](auto& c) { Text(c).erase("rope_parameters"); },
                  "text_config.rope_parameters is missing"},
        BadConfig{"NoLayers", [](auto& c) { Text(c)["num_hidden_layers"] = 0; },
                  "text_config.num_hidden_layers is 0, outside 1..4096"},
        BadConfig{"LayerTypesNoList", [](auto& c) { Text(c)["layer_types"] = "sliding_attention"; },
                  "layer_types is not a list of num_hidden_layers (12) strings"},
        BadConfig{"Id", [](auto& c) { c["image_token_id"] = 512; }, "image_token_id is 512, outside 0..511"},
        BadConfig{"Eos",
                  [](auto& c) {
                    c["eos_token_id"] = {1, "x"};
                  },
                  "eos_token_id holds \"x\", which is no token id"},
        BadConfig{"Mask", [](auto& c) { Text(c)["use_bidirectional_attention"] = "some"; },
                  "use_bidirectional_attention is 'some'"},
        BadConfig{"Activation", [](auto& c) { Text(c)["hidden_activation"] = "silu"; },
                  "hidden_activation is 'silu', not 'gelu_pytorch_tanh'"}),
    [](const auto& test) { return test.param.name; });

TEST(TextConfig, AFieldGivenTwiceIsRefused) {
  std::string config = ReadJson(ConfigFile("e2b")).dump();
  const std::string field = "\"hidden_size\":";
  config.insert(config.rfind(field), field + "32,");
  EXPECT_EQ(MessageOf<CheckpointError>([&] { ParseTextConfig(config, "config.json"); }),
            "config.json: the key 'hidden_size' is given twice in one object");
}

TEST(TextConfig, NotJson) {
  EXPECT_THAT(MessageOf<CheckpointError>([] { ParseTextConfig("{\"text_config\": ", "a/config.json"); }),
              HasSubstr("a/config.json: not JSON: "));
  EXPECT_THAT(MessageOf<CheckpointError>([] { ParseTextConfig("[]", "config.json"); }),
              HasSubstr("config.json: is not a JSON object"));
  EXPECT_THAT(MessageOf<CheckpointError>([] { ReadTextConfig("/nowhere/config.json"); }),
              HasSubstr("/nowhere/config.json: cannot be opened"));
}

TEST(RequireSupported, AcceptsWhatRuns) {
  for (const char* variant : {"e2b", "e4b", "e2b-256", "12b", "26b", "31b"}) {
    EXPECT_NO_THROW(RequireSupported(Read(variant), "config.json"));
  }
}

std::string Refusal(const TextConfig& config) {
  return MessageOf<CheckpointError>([&] { RequireSupported(config, "config.json"); });
}

TEST(RequireSupported, NamesEveryMechanism) {
  EXPECT_THAT(Refusal(Read("e2b-drafter")),
              HasSubstr("a drafter (backbone_hidden_size), which reads the keys and values of another model"));
  nlohmann::json config = ReadJson(ConfigFile("e2b"));
  config["quantization_config"] = {{"quant_method", "compressed-tensors"}};
  EXPECT_THAT(Refusal(Parse(config)), HasSubstr("compressed weights (quant_method 'compressed-tensors')"));
  nlohmann::json group = {{"weights",
                           {{"num_bits", 4},
                            {"type", "int"},
                            {"symmetric", true},
                            {"strategy", "group"},
                            {"group_size", 32},
                            {"actorder", nullptr}}},
                          {"input_activations", nullptr}};
  config["quantization_config"]["format"] = "pack-quantized";
  config["quantization_config"]["config_groups"] = {{"group_0", group}};
  EXPECT_EQ(Parse(config).weight_compression, "");
  group["weights"]["num_bits"] = 8;
  config["quantization_config"]["config_groups"]["group_1"] = group;
  EXPECT_THAT(Refusal(Parse(config)), HasSubstr("not symmetric groups of 32 codes of 4 bits"));
  config = ReadJson(ConfigFile("e2b"));
  Text(config)["use_bidirectional_attention"] = "all";
  EXPECT_THAT(Refusal(Parse(config)), HasSubstr("(use_bidirectional_attention 'all')"));
  config["quantization_config"] = {{"quant_method", "awq"}};
  EXPECT_EQ(Refusal(Parse(config)),
            "config.json: this version cannot run bidirectional attention (use_bidirectional_attention 'all'), "
            "compressed weights (quant_method 'awq')");
}

}  // namespace
}  // namespace percept
