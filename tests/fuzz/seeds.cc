// SPDX-License-Identifier: Apache-2.0
// Writes what each fuzz target starts from: well-formed files, as small as they can be and with every kind of part.
//   fuzz_seeds SOURCE_DIR OUTPUT_DIR
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/gguf_bytes.h"
#include "tests/support/safetensors_bytes.h"

namespace percept {
namespace {

namespace fs = std::filesystem;

enum GgufTensorType : uint32_t { kF32 = 0, kF16 = 1, kQ40 = 2, kQ80 = 8, kQ4K = 12, kQ6K = 14, kBF16 = 30 };

void Write(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary);
  stream << bytes;
  if (!stream.flush()) std::exit(1);
}

std::string PackedLayer() {
  SafetensorsWriter writer;
  writer.Add("x.weight_packed", "I32", {2, 4}, std::string(32, '\1'));
  writer.Add("x.weight_scale", "BF16", {2, 1}, std::string(4, '\1'));
  writer.Add("x.weight_shape", "I64", {2}, std::string("\2\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0", 16));
  return writer.Bytes();
}

void WriteSafetensors(const fs::path& folder) {
  SafetensorsWriter writer;
  writer.AddF32("model.norm.weight", {2}, {1, 2});
  writer.AddBF16("m", {2, 3}, {1, 2, 3, 4, 5, 6});
  writer.Add("odd", "U8", {1}, "x");
  writer.Add("unaligned", "F32", {}, "abcd");
  writer.Add("none", "I64", {0, 4}, "");
  writer.Add("other", "F8_E4M3", {2}, "ab");
  Write(folder / "plain", writer.Bytes());
  Write(folder / "packed", PackedLayer());
  Write(folder / "metadata", SafetensorsBytes(R"({"__metadata__":{"format":"pt"}})", ""));
}

void AddVocabulary(GgufWriter* writer) {
  std::vector<std::string> tokens = {"<pad>", "<eos>", "<bos>", "<|image>", "<|image|>", "<image|>", "<|audio|>"};
  for (int byte = 0; byte < 256; ++byte) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">");
  }
  for (const char* piece : {"a", "b", "ab", "aba"}) tokens.emplace_back(piece);
  writer->AddString("tokenizer.ggml.model", "gemma4");
  writer->AddStrings("tokenizer.ggml.tokens", tokens);
  writer->AddStrings("tokenizer.ggml.merges", {"a b", "ab a"});
  writer->AddU32("tokenizer.ggml.bos_token_id", 2);
  writer->AddKey("tokenizer.ggml.add_space_prefix", 7, std::string(1, '\0'));
}

std::string TextModel() {
  GgufWriter writer;
  writer.AddString("general.architecture", "gemma4");
  for (const auto& [key, value] : std::vector<std::pair<std::string, uint32_t>>{{"block_count", 2},
                                                                                {"embedding_length", 32},
                                                                                {"attention.head_count", 2},
                                                                                {"attention.head_count_kv", 1},
                                                                                {"attention.sliding_window", 16},
                                                                                {"attention.key_length", 8},
                                                                                {"attention.value_length", 8},
                                                                                {"rope.dimension_count", 8},
                                                                                {"attention.key_length_swa", 4},
                                                                                {"attention.value_length_swa", 4},
                                                                                {"rope.dimension_count_swa", 4},
                                                                                {"attention.shared_kv_layers", 0},
                                                                                {"expert_count", 4},
                                                                                {"expert_used_count", 2},
                                                                                {"expert_feed_forward_length", 32},
                                                                                {"context_length", 64}}) {
    writer.AddU32("gemma4." + key, value);
  }
  writer.AddF32("gemma4.attention.layer_norm_rms_epsilon", 1e-6f);
  writer.AddF32("gemma4.final_logit_softcapping", 30);
  writer.AddF32("gemma4.rope.freq_base", 1e6f);
  writer.AddF32("gemma4.rope.freq_base_swa", 1e4f);
  const std::string list_of_two = GgufWriter::Raw(uint64_t{2});
  writer.AddKey("gemma4.attention.sliding_window_pattern", 9,
                GgufWriter::Raw(uint32_t{7}) + list_of_two + std::string("\1\0", 2));
  writer.AddKey(
      "gemma4.feed_forward_length", 9,
      GgufWriter::Raw(uint32_t{5}) + list_of_two + GgufWriter::Raw(int32_t{32}) + GgufWriter::Raw(int32_t{64}));
  writer.AddF32("general.sampling.temp", 1);
  writer.AddF32("general.sampling.top_p", 0.95f);
  writer.AddKey("general.sampling.top_k", 10, GgufWriter::Raw(uint64_t{64}));
  AddVocabulary(&writer);
  writer.AddTensor("rope_freqs.weight", kF32, {4},
                   std::string("\0\0\x80\x3F\xCA\xF2\x49\x71\xCA\xF2\x49\x71\xCA\xF2\x49\x71", 16));
  writer.AddTensor("blk.1.attn_v.weight", kQ40, {32, 1}, std::string(18, '\1'));
  writer.AddTensor("blk.0.ffn_up.weight", kQ80, {32, 1}, std::string(34, '\1'));
  writer.AddTensor("token_embd.weight", kQ6K, {256, 1}, std::string(210, '\1'));
  writer.AddTensor("output_norm.weight", kBF16, {4}, std::string(8, '\1'));
  return writer.Bytes();
}

std::string Towers() {
  GgufWriter writer;
  writer.AddString("general.architecture", "clip");
  writer.AddKey("clip.has_vision_encoder", 7, "\1");
  writer.AddKey("clip.has_audio_encoder", 7, "\1");
  writer.AddString("clip.vision.projector_type", "gemma4v");
  writer.AddString("clip.audio.projector_type", "gemma4a");
  for (const char* encoder : {"clip.vision.", "clip.audio."}) {
    writer.AddU32(std::string(encoder) + "embedding_length", 8);
    writer.AddU32(std::string(encoder) + "block_count", 1);
    writer.AddU32(std::string(encoder) + "attention.head_count", 2);
    writer.AddU32(std::string(encoder) + "feed_forward_length", 16);
    writer.AddF32(std::string(encoder) + "attention.layer_norm_epsilon", 1e-6f);
    writer.AddU32(std::string(encoder) + "projection_dim", 32);
  }
  writer.AddU32("clip.vision.patch_size", 16);
  writer.AddTensor("v.patch_embd.weight", kF16, {2, 1, 3, 1}, std::string(12, '\1'));
  writer.AddTensor("v.position_embd.weight", kF32, {4, 3, 2}, std::string(96, '\1'));
  writer.AddTensor("v.blk.0.attn_q.input_min", kF32, {1}, std::string(4, '\1'));
  writer.AddTensor("v.std_bias", kF32, {2}, std::string(8, '\1'));
  writer.AddTensor("mm.a.input_projection.weight", kF32, {2, 2}, std::string(16, '\1'));
  writer.AddTensor("a.conv1d.0.weight", kF32, {1, 1, 1, 2}, std::string(8, '\1'));
  writer.AddTensor("a.conv1d.1.weight", kF32, {1, 1, 1, 2}, std::string(8, '\1'));
  writer.AddTensor("a.blk.0.conv_dw.weight", kF32, {3, 2}, std::string(24, '\1'));
  writer.AddTensor("a.blk.0.per_dim_scale.weight", kF32, {2}, std::string(8, '\1'));
  return writer.Bytes();
}

std::string TowersInTextFile() {
  GgufWriter writer;
  writer.AddString("general.architecture", "gemma4");
  for (const char* encoder : {"gemma4.vision.", "gemma4.audio."}) {
    writer.AddU32(std::string(encoder) + "embedding_length", 8);
    writer.AddU32(std::string(encoder) + "block_count", 1);
    writer.AddU32(std::string(encoder) + "attention.head_count", 2);
    writer.AddU32(std::string(encoder) + "feed_forward_length", 16);
    writer.AddF32(std::string(encoder) + "attention.layer_norm_epsilon", 1e-6f);
  }
  writer.AddTensor("v.clamp_data", kF32, {32}, std::string(128, '\1'));
  writer.AddTensor("v.position_embd.weight", kF32, {4, 3, 2}, std::string(96, '\1'));
  writer.AddTensor("mm.a.fc.weight", kF32, {2, 2}, std::string(16, '\1'));
  writer.AddTensor("mm.a.input_projection.weight", kF32, {2, 2}, std::string(16, '\1'));
  writer.AddTensor("a.blk.0.ln2.weight", kF32, {2}, std::string(8, '\1'));
  return writer.Bytes();
}

std::string Projections() {
  GgufWriter writer;
  writer.AddString("general.architecture", "clip");
  writer.AddU32("general.alignment", 64);  // GgufWriter places tensors by 32, here at 0 and 64
  writer.AddKey("clip.has_vision_encoder", 7, "\1");
  writer.AddKey("clip.has_audio_encoder", 7, "\1");
  writer.AddString("clip.vision.projector_type", "gemma4uv");
  writer.AddString("clip.audio.projector_type", "gemma4ua");
  writer.AddU32("clip.vision.embedding_length", 2);
  writer.AddF32("clip.vision.attention.layer_norm_epsilon", 1e-6f);
  writer.AddTensor("v.position_embd.weight", kF32, {2, 3, 2}, std::string(64, '\1'));
  writer.AddTensor("mm.a.input_projection.weight", kF32, {2, 2}, std::string(16, '\1'));
  return writer.Bytes();
}

void CopyJson(const fs::path& from, const fs::path& to) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from)) {
    if (entry.path().extension() != ".json") continue;
    fs::create_directories(to);
    fs::copy_file(entry.path(),
                  to / (entry.path().parent_path().filename().string() + "-" + entry.path().filename().string()),
                  fs::copy_options::overwrite_existing);
  }
}

}  // namespace
}  // namespace percept

int main(int argc, char** argv) {
  using namespace percept;
  if (argc != 3) return 2;
  const fs::path source = argv[1];
  const fs::path output = argv[2];
  WriteSafetensors(output / "safetensors");
  Write(output / "gguf/text", TextModel());
  Write(output / "gguf/towers", Towers());
  Write(output / "gguf/one_file", TowersInTextFile());
  Write(output / "gguf/projections", Projections());
  CopyJson(source / "tests/data/config", output / "config");
  Write(output / "config/index.json", R"({"metadata":{"total_size":24},"weight_map":{"a":"one.safetensors"}})");
  fs::create_directories(output / "tokenizer");
  fs::copy_file(source / "tests/data/text/tiny_tokenizer.json", output / "tokenizer/tiny.json",
                fs::copy_options::overwrite_existing);
  return 0;
}
