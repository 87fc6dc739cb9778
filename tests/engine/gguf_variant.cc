// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/gguf_variant.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "decoder/config/text_config.h"
#include "encoders/vision/config.h"
#include "kernels/weights/gguf_header.h"
#include "kernels/weights/mapped_file.h"
#include "kernels/weights/safetensors.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

constexpr uint32_t kF32 = 0;
constexpr uint32_t kBF16 = 30;

using Rule = std::pair<const char*, const char*>;

const std::vector<Rule> kTextRules = {
    {"^model\\.language_model\\.embed_tokens\\.weight$", "token_embd.weight"},
    {"^model\\.language_model\\.norm\\.weight$", "output_norm.weight"},
    {"^model\\.language_model\\.layers\\.", "blk."},
    {"input_layernorm", "attn_norm"},
    {"post_attention_layernorm", "post_attention_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
    {"pre_feedforward_layernorm_2", "pre_ffw_norm_2"},
    {"pre_feedforward_layernorm", "ffn_norm"},
    {"self_attn\\.([qk])_norm", "attn_$1_norm"},
    {"self_attn\\.o_proj", "attn_output"},
    {"self_attn\\.([qkv])_proj", "attn_$1"},
    {"mlp\\.([a-z]+)_proj", "ffn_$1"},
    {"layer_scalar$", "layer_output_scale.weight"},
    {"router\\.proj", "ffn_gate_inp"},
    {"router\\.scale", "ffn_gate_inp.scale"},
    {"router\\.per_expert_scale", "ffn_down_exps.scale"},
    {"experts\\.gate_up_proj", "ffn_gate_up_exps.weight"},
    {"experts\\.down_proj", "ffn_down_exps.weight"},
};

const std::vector<Rule> kMmprojRules = {
    {"^model\\.embed_vision\\.embedding_projection", "mm.input_projection"},
    {"^model\\.embed_audio\\.embedding_projection", "mm.a.input_projection"},
    {"^model\\.vision_tower\\.patch_embedder\\.input_proj", "v.patch_embd"},
    {"^model\\.vision_tower\\.patch_embedder\\.position_embedding_table", "v.position_embd.weight"},
    {"^model\\.vision_tower\\.std_", "v.std_"},
    {"^model\\.vision_tower\\.encoder\\.layers\\.", "v.blk."},
    {"input_layernorm", "ln1"},
    {"post_attention_layernorm", "attn_post_norm"},
    {"pre_feedforward_layernorm", "ln2"},
    {"post_feedforward_layernorm", "ffn_post_norm"},
    {"self_attn\\.([qk])_norm", "attn_$1_norm"},
    {"self_attn\\.o_proj\\.linear", "attn_out"},
    {"self_attn\\.([qkv])_proj\\.linear", "attn_$1"},
    {"mlp\\.([a-z]+)_proj\\.linear", "ffn_$1"},
    {"^model\\.vision_embedder\\.patch_dense", "v.patch_embd"},
    {"^model\\.vision_embedder\\.patch_ln1", "v.patch_norm.1"},
    {"^model\\.vision_embedder\\.patch_ln2", "v.patch_norm.2"},
    {"^model\\.vision_embedder\\.pos_norm", "v.patch_norm.3"},
    {"^model\\.vision_embedder\\.pos_embedding", "v.position_embd.weight"},
};

std::string Renamed(std::string name, const std::vector<Rule>& rules) {
  for (const auto& [from, to] : rules) name = std::regex_replace(name, std::regex(from), to);
  return name;
}

std::vector<float> Floats(const ConstTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
  std::transform(static_cast<const uint16_t*>(tensor.bytes), static_cast<const uint16_t*>(tensor.bytes) + values.size(),
                 values.begin(), BF16ToFloat);
  return values;
}

std::string Bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// Index channel * pixels + pixel of each row from pixel * 3 + channel.
std::vector<float> ChannelsFirst(const std::vector<float>& values, size_t row_size) {
  std::vector<float> out(values.size());
  const size_t pixels = row_size / 3;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t at = i % row_size;
    out[i / row_size * row_size + at % 3 * pixels + at / 3] = values[i];
  }
  return out;
}

void AddMmprojTensor(const std::string& name, const ConstTensor& tensor, GgufWriter& writer) {
  std::vector<uint64_t> dims;
  for (int axis = tensor.shape.rank() - 1; axis >= 0; --axis) {
    dims.push_back(static_cast<uint64_t>(tensor.shape[axis]));
  }
  std::vector<float> values = Floats(tensor);
  if (name == "v.patch_embd.weight" || name.starts_with("v.patch_norm.1.")) {
    values = ChannelsFirst(values, dims[0]);
    if (dims[0] == 768) dims = {16, 16, 3, dims[1]};
  } else if (name == "v.position_embd.weight" && dims[1] == 2) {
    const auto width = static_cast<std::ptrdiff_t>(dims[0]);
    std::vector<float> swapped(values.size());
    for (size_t row = 0; row < values.size() / dims[0]; ++row) {
      const size_t to = row % 2 * dims[2] + row / 2;
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(row) * width, width,
                  swapped.begin() + static_cast<std::ptrdiff_t>(to) * width);
    }
    values = std::move(swapped);
    std::swap(dims[1], dims[2]);
  }
  writer.AddTensor(name, kF32, dims, Bytes(values));
}

void AddTextTensor(const std::string& name, const ConstTensor& tensor, GgufWriter& writer) {
  std::vector<uint64_t> dims;
  for (int axis = tensor.shape.rank() - 1; axis >= 0; --axis) {
    dims.push_back(static_cast<uint64_t>(tensor.shape[axis]));
  }
  if (dims.size() > 1) {
    writer.AddTensor(name, kBF16, dims,
                     {static_cast<const char*>(tensor.bytes), static_cast<size_t>(tensor.size_bytes())});
  } else {
    writer.AddTensor(name, kF32, dims, Bytes(Floats(tensor)));
  }
}

template <class T>
void AddList(const std::string& key, uint32_t type, const std::vector<T>& values, GgufWriter& writer) {
  std::string list = GgufWriter::Raw(type) + GgufWriter::Raw(uint64_t{values.size()});
  for (const T value : values) list += GgufWriter::Raw(value);
  writer.AddKey(key, 9, list);
}

void AddTokenizer(const std::filesystem::path& file, GgufWriter& writer) {
  std::ifstream stream(file);
  const nlohmann::json root = nlohmann::json::parse(stream);
  std::vector<std::string> tokens;
  const auto set = [&](size_t id, const std::string& token) {
    tokens.resize(std::max(tokens.size(), id + 1));
    tokens[id] = token;
  };
  for (const auto& [token, id] : root.at("model").at("vocab").items()) set(id, token);
  for (const nlohmann::json& added : root.at("added_tokens")) set(added.at("id"), added.at("content"));
  std::vector<std::string> merges;
  for (const nlohmann::json& merge : root.at("model").at("merges")) {
    merges.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  writer.AddString("tokenizer.ggml.model", "gemma4");
  writer.AddStrings("tokenizer.ggml.tokens", tokens);
  writer.AddStrings("tokenizer.ggml.merges", merges);
  writer.AddU32("tokenizer.ggml.bos_token_id", 2);
  writer.AddU32("tokenizer.ggml.padding_token_id", 0);
  writer.AddU32("tokenizer.ggml.eos_token_id", 16);
}

// Of variants with two kinds of layers and no per-layer embeddings.
void AddTextKeys(const TextConfig& config, const std::string& architecture, GgufWriter& writer) {
  const std::string prefix = architecture + ".";
  const auto u32 = [&](const std::string& key, int value) {
    writer.AddU32(prefix + key, static_cast<uint32_t>(value));
  };
  writer.AddString("general.architecture", architecture);
  u32("block_count", config.num_layers());
  u32("context_length", config.max_positions);
  u32("embedding_length", config.hidden_size);
  u32("feed_forward_length", config.layers[0].mlp_width);
  u32("attention.head_count", config.num_heads);
  u32("attention.sliding_window", config.sliding_window);
  u32("embedding_length_per_layer_input", 0);
  std::vector<int32_t> kv_heads;
  std::vector<uint8_t> is_sliding;
  for (const LayerConfig& layer : config.layers) {
    const bool sliding = layer.kind == AttentionKind::kSliding;
    kv_heads.push_back(layer.num_kv_heads);
    is_sliding.push_back(sliding ? 1 : 0);
  }
  AddList(prefix + "attention.head_count_kv", 5, kv_heads, writer);
  AddList(prefix + "attention.sliding_window_pattern", 7, is_sliding, writer);
  for (const LayerConfig& layer : {config.layers.front(), config.layers.back()}) {
    const std::string suffix = layer.kind == AttentionKind::kSliding ? "_swa" : "";
    for (const char* key : {"attention.key_length", "attention.value_length", "rope.dimension_count"}) {
      u32(key + suffix, layer.head_dim);
    }
    writer.AddF32(std::string(prefix).append("rope.freq_base").append(suffix),
                  static_cast<float>(config.ropes[layer.rope_idx].theta));
  }
  writer.AddF32(prefix + "attention.layer_norm_rms_epsilon", 1e-6F);
  if (config.logit_soft_cap > 0) {
    writer.AddF32(prefix + "final_logit_softcapping", static_cast<float>(config.logit_soft_cap));
  }
  if (config.experts) {
    u32("expert_count", config.experts->num_experts);
    u32("expert_used_count", config.experts->num_experts_per_token);
    u32("expert_feed_forward_length", config.experts->width);
  }
}

void AddMmprojKeys(const TextConfig& text, const VisionConfig& vision, GgufWriter& writer) {
  const bool is_tower = vision.form == VisionForm::kTower;
  const auto u32 = [&](const std::string& key, int value) {
    writer.AddU32("clip.vision." + key, static_cast<uint32_t>(value));
  };
  writer.AddString("general.architecture", "clip");
  writer.AddKey("clip.has_vision_encoder", 7, "\1");
  writer.AddString("clip.vision.projector_type", is_tower ? "gemma4v" : "gemma4uv");
  u32("embedding_length", vision.width);
  u32("feed_forward_length", vision.mlp_width);
  u32("block_count", vision.num_layers);
  u32("attention.head_count", vision.num_heads);
  u32("projection_dim", text.hidden_size);
  u32("patch_size", 16);
  writer.AddF32("clip.vision.attention.layer_norm_epsilon", 1e-6F);
  if (text.audio == EncoderKind::kDirectProjection) {
    writer.AddKey("clip.has_audio_encoder", 7, "\1");
    writer.AddString("clip.audio.projector_type", "gemma4ua");
  }
}

// A value as it stands in a file, behind its type.
std::string ValueBytes(const GgufValue& value) {
  const auto number = [&value](auto element) {
    switch (value.type) {
      case GgufType::kBool:
      case GgufType::kU8:
      case GgufType::kI8:
        return GgufWriter::Raw(static_cast<uint8_t>(element));
      case GgufType::kF32:
        return GgufWriter::Raw(static_cast<float>(element));
      case GgufType::kU32:
      case GgufType::kI32:
        return GgufWriter::Raw(static_cast<int32_t>(element));
      default:
        throw std::logic_error("a type that the files of the goldens do not use");
    }
  };
  const auto list = [&value](const auto& elements, const auto& bytes_of) {
    std::string bytes = GgufWriter::Raw(static_cast<uint32_t>(value.type)) + GgufWriter::Raw(uint64_t{elements.size()});
    for (const auto& element : elements) bytes += bytes_of(element);
    return bytes;
  };
  return std::visit(
      [&](const auto& held) {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_arithmetic_v<Held>) {
          return number(held);
        } else if constexpr (std::is_same_v<Held, std::string_view>) {
          return GgufWriter::Text(held);
        } else if constexpr (std::is_same_v<Held, std::vector<std::string_view>>) {
          return list(held, GgufWriter::Text);
        } else {
          return list(held, number);
        }
      },
      value.value);
}

void CopyKey(const std::string& name, const GgufValue& value, GgufWriter& writer) {
  constexpr uint32_t kList = 9;
  writer.AddKey(name, value.is_list ? kList : static_cast<uint32_t>(value.type), ValueBytes(value));
}

const std::vector<Rule> kOneFileRules = {
    {"^a\\.pre_encode\\.out", "mm.a.fc"},
    {"^a\\.input_projection", "a.pre_encode.out"},
    {"^(a\\.blk\\.[0-9]+\\.)ln2", "$1layer_pre_norm"},
    {"^(a\\.blk\\.[0-9]+\\.)attn_pre_norm", "$1ln1"},
    {"^(a\\.blk\\.[0-9]+\\.)attn_post_norm", "$1ln2"},
    {"^(a\\.blk\\.[0-9]+\\.)attn_k_rel", "$1linear_pos"},
};

// The number of a type in the file.
uint32_t TypeNumber(std::string_view type) {
  const std::map<std::string_view, uint32_t> numbers = {{"F32", 0},  {"F16", 1},   {"Q4_0", 2},
                                                        {"Q8_0", 8}, {"Q6_K", 14}, {"BF16", 30}};
  return numbers.at(type);
}

// Those of all linears of the vision tower, and four for the projector.
std::string VisionBounds(const GgufHeader& header, std::string_view file, int num_layers) {
  std::map<std::string, std::string, std::less<>> data;
  for (const GgufTensor& tensor : header.tensors) {
    data[tensor.name] = std::string(file.substr(tensor.begin, tensor.size_bytes));
  }
  std::string bounds;
  for (int layer = 0; layer < num_layers; ++layer) {
    for (const char* linear : {"attn_q", "attn_k", "attn_v", "attn_out", "ffn_gate", "ffn_up", "ffn_down"}) {
      for (const char* bound : {"input_min", "input_max", "output_min", "output_max"}) {
        bounds += data.at("v.blk." + std::to_string(layer) + "." + linear + "." + bound);
      }
    }
  }
  return bounds + std::string(4 * sizeof(float), '\0');
}

}  // namespace

void WriteOneFile(const std::filesystem::path& text, const std::filesystem::path& mmproj,
                  const std::filesystem::path& file) {
  const std::regex vision_bound("v\\.blk\\..*\\.(in|out)put_(min|max)");
  GgufWriter writer;
  for (const std::filesystem::path& part : {text, mmproj}) {
    const MappedFile mapped(part);
    const std::string_view bytes(reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size());
    const GgufHeader header = ParseGgufHeader(part, mapped.bytes());
    const bool is_text = part == text;
    for (const auto& [name, value] : header.metadata.values()) {
      if (name == "tokenizer.ggml.model") {
        writer.AddString(name, "llama");
        writer.AddString("tokenizer.ggml.pre", "gemma4");
      } else if (is_text && name != "tokenizer.ggml.pre") {
        CopyKey(name, value, writer);
      } else if (name.starts_with("clip.vision.") || name.starts_with("clip.audio.")) {
        if (!name.ends_with("projector_type")) CopyKey("gemma4" + name.substr(4), value, writer);
      }
    }
    for (const GgufTensor& tensor : header.tensors) {
      if (std::regex_match(tensor.name, vision_bound)) continue;
      writer.AddTensor(Renamed(tensor.name, is_text ? std::vector<Rule>() : kOneFileRules), TypeNumber(tensor.type),
                       {tensor.shape.rbegin(), tensor.shape.rend()}, bytes.substr(tensor.begin, tensor.size_bytes));
    }
    if (is_text) continue;
    const auto num_layers = static_cast<int>(header.metadata.Integer("clip.vision.block_count"));
    const std::string bounds = VisionBounds(header, bytes, num_layers);
    writer.AddTensor("v.clamp_data", kF32, {bounds.size() / sizeof(float)}, bounds);
  }
  std::ofstream(file, std::ios::binary) << writer.Bytes();
}

GgufVariant::GgufVariant(const std::string& name) {
  const std::filesystem::path folder = SharedDir() / "goldens" / "variants" / name;
  const TextConfig config = ReadTextConfig(folder / "config.json");
  const auto source = OpenSafetensors(folder);
  GgufWriter text;
  GgufWriter mmproj;
  AddTextKeys(config, "gemma4", text);
  AddTokenizer(folder / "tokenizer.json", text);
  AddMmprojKeys(config, ReadVisionConfig(folder / "config.json").value(), mmproj);
  for (const std::string& tensor : source->Names()) {
    if (tensor.starts_with("model.language_model.")) {
      AddTextTensor(Renamed(tensor, kTextRules), *source->Find(tensor), text);
    } else {
      AddMmprojTensor(Renamed(tensor, kMmprojRules), *source->Find(tensor), mmproj);
    }
  }
  folder_.Write("text.gguf", text.Bytes());
  folder_.Write("mmproj.gguf", mmproj.Bytes());
}

GgufDrafter::GgufDrafter(const std::filesystem::path& drafter, const std::filesystem::path& tokenizer) {
  const TextConfig config = ReadTextConfig(drafter / "config.json");
  const auto source = OpenSafetensors(drafter);
  GgufWriter writer;
  AddTextKeys(config, "gemma4-assistant", writer);
  writer.AddU32("gemma4-assistant.embedding_length_out", static_cast<uint32_t>(config.drafter->backbone_hidden_size));
  writer.AddU32("gemma4-assistant.nextn_predict_layers", static_cast<uint32_t>(config.num_layers()));
  writer.AddU32("gemma4-assistant.attention.shared_kv_layers", static_cast<uint32_t>(config.num_layers()));
  AddTokenizer(tokenizer, writer);
  for (const std::string& tensor : source->Names()) {
    if (tensor.starts_with("masked_embedding.")) continue;
    const std::string name = tensor.starts_with("model.") ? "model.language_" + tensor : "nextn." + tensor;
    AddTextTensor(Renamed(name, kTextRules), *source->Find(tensor), writer);
  }
  folder_.Write("drafter.gguf", writer.Bytes());
}

}  // namespace percept
