// SPDX-License-Identifier: Apache-2.0
// Models in GGUF files: the configuration that their metadata give, and their logits against the reference's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "decoder/config/gguf_config.h"
#include "kernels/core/error.h"
#include "kernels/weights/claim_list.h"
#include "tests/decoder/model_fixture.h"
#include "tests/support/closeness.h"
#include "tests/support/gguf_bytes.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"

namespace percept {
namespace {

using testing::EndsWith;
using testing::ThrowsMessage;

constexpr int kThreads = 2;

struct OpenGguf {
  OpenGguf(const std::filesystem::path& file, const KernelContext& context)
      : source({file}), config(TextConfigFromGguf(source)) {
    ClaimList claims(source);
    decoder = std::make_unique<TextDecoder>(config, TextWeights::Bind(config, claims, context), context);
    claims.RequireAllClaimed();
  }

  GgufSource source;
  TextConfig config;
  std::unique_ptr<TextDecoder> decoder;
};

class GgufGoldenTest : public testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path Folder() const { return SharedDir() / "goldens/gguf"; }
  std::filesystem::path File() const { return Folder() / ("e2b-256-" + GetParam() + ".gguf"); }
  std::filesystem::path Variant() const { return SharedDir() / "goldens/variants/e2b-256"; }

  std::vector<float> Logits(Mode mode) const {
    const OpenGguf model(File(), MakeKernelContext(mode, {}));
    const GoldenFile inputs(Variant() / "golden.safetensors");
    const PromptRows prompt(inputs, "text", model.config.hidden_size);
    return LogitsInChunks(*model.decoder, prompt, {prompt.num_rows()}, kThreads);
  }
  std::vector<float> Reference() const {
    return GoldenFile(Folder() / "golden.safetensors").Floats(GetParam() + ".logits");
  }
};

TEST_P(GgufGoldenTest, TheMetadataSayWhatConfigJsonSays) {
  PERCEPT_NEED_SHARED();
  const GgufSource source({File()});
  const TextConfig config = TextConfigFromGguf(source);
  TextConfig expected = ReadTextConfig(Variant() / "config.json");
  EXPECT_FLOAT_EQ(static_cast<float>(config.rms_norm_eps), static_cast<float>(expected.rms_norm_eps));
  expected.rms_norm_eps = config.rms_norm_eps;
  // Media are in a file of their own; what ends an answer there is one token, here three.
  expected.vision = EncoderKind::kNone;
  expected.audio = EncoderKind::kNone;
  expected.token_ids.eos = config.token_ids.eos;
  EXPECT_EQ(config, expected);
  EXPECT_EQ(config.token_ids.bos, 2);
  EXPECT_THAT(config.token_ids.eos, testing::ElementsAre(16));
}

TEST_P(GgufGoldenTest, LogitsInExactModeAreThoseOfTheDequantisedWeights) {
  PERCEPT_NEED_SHARED();
  const std::vector<float> logits = Logits(Mode::kExact);
  EXPECT_LE(MaxAbsDifference(ConstMatrixView(logits.data(), 1, static_cast<int64_t>(logits.size()),
                                             static_cast<int64_t>(logits.size())),
                             Reference()),
            1e-3);
}

// Activations of 8 bits: the goldens' README says what that costs.
TEST_P(GgufGoldenTest, LogitsInFastModeAreNear) {
  PERCEPT_NEED_SHARED();
  const std::vector<float> logits = Logits(Mode::kFast);
  const std::vector<float> reference = Reference();
  ASSERT_EQ(logits.size(), reference.size());
  double dot = 0;
  double norm = 0;
  double reference_norm = 0;
  double worst = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    dot += double{logits[i]} * reference[i];
    norm += double{logits[i]} * logits[i];
    reference_norm += double{reference[i]} * reference[i];
    worst = std::max(worst, std::abs(double{logits[i]} - reference[i]));
  }
  EXPECT_LE(worst, 0.4);
  EXPECT_GE(dot / std::sqrt(norm * reference_norm), 0.9995);
}

INSTANTIATE_TEST_SUITE_P(Mixes, GgufGoldenTest, testing::Values("bf16", "q8_0", "q4_0", "kmix"),
                         [](const auto& test) { return test.param; });

// The keys of a small model, one of which a test changes or leaves out.
class GgufConfigTest : public testing::Test {
 protected:
  void AddKeys(const std::string& but) {
    const auto add = [&](const std::string& key, uint32_t value) {
      if (key != but) writer_.AddU32("gemma4." + key, value);
    };
    if (but != "general.architecture") writer_.AddString("general.architecture", "gemma4");
    writer_.AddStrings("tokenizer.ggml.tokens", {"a", "b", "c"});
    for (const char* key : {"block_count", "attention.head_count", "attention.head_count_kv"}) add(key, 2);
    for (const char* key : {"context_length", "embedding_length", "feed_forward_length", "attention.sliding_window"}) {
      add(key, 64);
    }
    for (const char* key : {"attention.key_length", "attention.value_length", "rope.dimension_count"}) {
      add(key, 32);
      add(std::string(key) + "_swa", 16);
    }
    if (but != "attention.sliding_window_pattern") AddPattern({1, 0});
    for (const char* key : {"attention.layer_norm_rms_epsilon", "final_logit_softcapping"}) {
      if (key != but) writer_.AddF32(std::string("gemma4.") + key, 1e-6f);
    }
    for (const char* key : {"rope.freq_base", "rope.freq_base_swa"}) {
      if (key != but) writer_.AddF32(std::string("gemma4.") + key, 10000);
    }
  }
  void AddPattern(const std::vector<char>& flags) {
    writer_.AddKey("gemma4.attention.sliding_window_pattern", 9,
                   GgufWriter::Raw(uint32_t{7}) + GgufWriter::Raw(uint64_t{flags.size()}) +
                       std::string(flags.begin(), flags.end()));
  }
  TextConfig Read() { return TextConfigFromGguf(GgufSource({folder_.Write("model.gguf", writer_.Bytes())})); }
  void ExpectRefusal(const std::string& message) {
    EXPECT_THAT([&] { Read(); }, ThrowsMessage<CheckpointError>(EndsWith("model.gguf: " + message)));
  }

  TempFolder folder_;
  GgufWriter writer_;
};

TEST_F(GgufConfigTest, WithoutPerLayerEmbeddingsPicturesSeeThemselvesAndValuesMayBeMadeFromKeys) {
  AddKeys("");
  const TextConfig config = Read();
  EXPECT_EQ(config.bidirectional, BidirectionalAttention::kMediaRuns);
  EXPECT_FALSE(config.layers[0].k_eq_v);
  EXPECT_TRUE(config.layers[1].k_eq_v);
  EXPECT_EQ(config.ropes[1].partial_factor, 0.25);
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_EQ(config.vocab_size, 3);
}

TEST_F(GgufConfigTest, AMissingKeyIsNamed) {
  for (const char* key : {"block_count", "attention.head_count_kv", "attention.sliding_window_pattern",
                          "final_logit_softcapping", "rope.freq_base_swa"}) {
    writer_ = GgufWriter();
    AddKeys(key);
    ExpectRefusal("key 'gemma4." + std::string(key) + "' is missing");
  }
}

TEST_F(GgufConfigTest, AnotherArchitectureIsRefused) {
  AddKeys("general.architecture");
  writer_.AddString("general.architecture", "llama");
  ExpectRefusal("key 'general.architecture' is 'llama', not 'gemma4'");
}

TEST_F(GgufConfigTest, KeysThatContradictAreRefused) {
  AddKeys("rope.dimension_count");
  writer_.AddU32("gemma4.rope.dimension_count", 16);
  ExpectRefusal("key 'gemma4.rope.dimension_count' is not that of 'gemma4.attention.key_length' (32)");

  writer_ = GgufWriter();
  AddKeys("attention.head_count_kv");
  writer_.AddU32("gemma4.attention.head_count_kv", 3);
  ExpectRefusal("key 'gemma4.attention.head_count_kv' of layer 0 is 3, which does not divide the heads (2)");

  writer_ = GgufWriter();
  AddKeys("attention.sliding_window_pattern");
  AddPattern({1, 0, 1});
  ExpectRefusal("key 'gemma4.attention.sliding_window_pattern' has 3 elements, not 2");

  writer_ = GgufWriter();
  AddKeys("");
  writer_.AddU32("gemma4.attention.shared_kv_layers", 1);
  ExpectRefusal("key 'gemma4.attention.shared_kv_layers' leaves layer 1 no layer to take keys and values from");

  writer_ = GgufWriter();
  AddKeys("block_count");
  writer_.AddU32("gemma4.block_count", 0);
  ExpectRefusal("key 'gemma4.block_count' is 0, outside 1..4096");
}

TEST_F(GgufConfigTest, ATableThatScalesFrequenciesIsRefused) {
  AddKeys("");
  std::vector<float> divisors(16, 1.0f);
  divisors[3] = 8;
  writer_.AddTensor("rope_freqs.weight", 0, {16}, std::string_view(reinterpret_cast<const char*>(divisors.data()), 64));
  ExpectRefusal("tensor 'rope_freqs.weight' scales frequencies, which no model here does");
}

TEST_F(GgufConfigTest, ASingleLayerWithoutValuesIsDamage) {
  AddKeys("attention.sliding_window_pattern");
  AddPattern({0, 0});
  writer_.AddTensor("blk.0.attn_v.weight", 0, {1}, std::string(4, '\0'));
  ExpectRefusal("tensor 'blk.1.attn_v.weight' is missing, but layer 0 has its own");
}

TEST_F(GgufConfigTest, GenerationDefaultsComeFromTheFile) {
  writer_.AddF32("general.sampling.temp", 0.5f);
  writer_.AddU32("general.sampling.top_k", 7);
  writer_.AddKey("tokenizer.ggml.suppress_tokens", 9,
                 GgufWriter::Raw(uint32_t{5}) + GgufWriter::Raw(uint64_t{2}) + GgufWriter::Raw(int32_t{9}) +
                     GgufWriter::Raw(int32_t{4}));
  const GgufSource source({folder_.Write("model.gguf", writer_.Bytes())});
  const GenerationConfig config = GenerationConfigFromGguf(source.metadata(0));
  EXPECT_EQ(config.temperature, 0.5);
  EXPECT_EQ(config.top_k, 7);
  EXPECT_EQ(config.top_p, GenerationConfig().top_p);
  EXPECT_THAT(config.suppress_ids, testing::ElementsAre(4, 9));
}

}  // namespace
}  // namespace percept
