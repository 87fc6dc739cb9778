// SPDX-License-Identifier: Apache-2.0
// The forward pass against the reference's tensors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "decoder/config/generation_config.h"
#include "decoder/text/sampler.h"
#include "kernels/weights/claim_list.h"
#include "kernels/weights/packed_int4.h"
#include "tests/decoder/model_fixture.h"
#include "tests/support/closeness.h"
#include "tests/support/isa_caps.h"
#include "tests/support/shared_dir.h"

namespace percept {
namespace {

constexpr double kHiddenTolerance = 2e-4;
constexpr double kLogitTolerance = 1e-3;

// Keeps every tensor of a pass.
class Recorder final : public ForwardObserver {
 public:
  void OnTensor(ForwardStage stage, int layer_idx, ConstMatrixView values) override {
    tensors_[{stage, layer_idx}] = Values(values);
  }
  const std::vector<float>& Get(ForwardStage stage, int layer_idx = -1) const {
    return tensors_.at({stage, layer_idx});
  }

 private:
  std::map<std::pair<ForwardStage, int>, std::vector<float>> tensors_;
};

double MaxDifference(const std::vector<float>& a, const std::vector<float>& b) {
  const int64_t size = static_cast<int64_t>(a.size());
  return MaxAbsDifference(ConstMatrixView(a.data(), 1, size, size), b);
}

struct Golden {
  Golden(const std::filesystem::path& folder, const std::string& name, int64_t hidden_size)
      : tensors(folder / "golden.safetensors"), prefix(name + "/f32/"), prompt(tensors, name, hidden_size) {
    nlohmann::json json;
    std::ifstream(folder / "golden.json") >> json;
    about = json.at("cases").at(name);
    first_logit_row = about.value("logits_first_position", int64_t{0});
  }
  std::vector<float> Floats(const std::string& tensor) const { return tensors.Floats(prefix + tensor); }
  int64_t num_logit_rows() const { return prompt.num_rows() - first_logit_row; }

  GoldenFile tensors;
  std::string prefix;
  PromptRows prompt;
  nlohmann::json about;
  int64_t first_logit_row = 0;
};

struct CaseName {
  std::string folder;  // below the goldens' variants, or "" for the tests' own copy
  std::string name;
};

std::filesystem::path FolderOf(const CaseName& which) {
  return which.folder.empty() ? TestDataDir() / "e2b" : SharedDir() / "goldens" / "variants" / which.folder;
}

MediaRunMask MaskOf(const CaseName& which) {
  return which.name.ends_with("_all_layers") ? MediaRunMask::kAllLayers : MediaRunMask::kSlidingLayers;
}

std::vector<int32_t> SuppressedIds(const CaseName& which) {
  const std::filesystem::path file = FolderOf(which) / "generation_config.json";
  return std::filesystem::exists(file) ? ReadGenerationConfig(file).suppress_ids : std::vector<int32_t>{};
}

std::string Letters(std::string text) {
  std::erase_if(text, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; });
  return text;
}

class ModelGoldenTest : public testing::TestWithParam<std::tuple<CaseName, Isa>> {
 protected:
  const CaseName& which() const { return std::get<0>(GetParam()); }
  OpenDecoder Open(Mode mode) const {
    return OpenDecoder(FolderOf(which()), MakeKernelContext(mode, std::get<1>(GetParam())), EmbeddingScale::kUnrounded,
                       MaskOf(which()));
  }
  std::vector<float> LastLogits(const OpenDecoder& open, const Golden& golden) const {
    StepRunner runner(*open.decoder, /*threads=*/2);
    return runner.Prefill(*runner.NewSequence(), golden.prompt, 0, golden.prompt.num_rows(), golden.num_logit_rows());
  }
};

#define PERCEPT_NEED_CASE(which) \
  if (!(which).folder.empty()) { \
    PERCEPT_NEED_SHARED();       \
  }                              \
  static_assert(true)

TEST_P(ModelGoldenTest, LogitsInExactModeAreTheReferences) {
  PERCEPT_NEED_CASE(which());
  const OpenDecoder open = Open(Mode::kExact);
  const Golden golden(FolderOf(which()), which().name, open.config.hidden_size);
  const double difference = MaxDifference(LastLogits(open, golden), golden.Floats("logits"));
  RecordProperty("max_abs_difference", std::to_string(difference));
  EXPECT_LT(difference, kLogitTolerance);
}

TEST_P(ModelGoldenTest, LogitsInFastModeAreCloserThanTheReferenceInBF16) {
  PERCEPT_NEED_CASE(which());
  const OpenDecoder open = Open(Mode::kFast);
  const Golden golden(FolderOf(which()), which().name, open.config.hidden_size);
  const std::vector<float> logits = LastLogits(open, golden);
  const int64_t vocab = open.config.vocab_size;
  const double cosine =
      MinRowCosine(ConstMatrixView(logits.data(), golden.num_logit_rows(), vocab, vocab), golden.Floats("logits"));
  RecordProperty("min_cosine", std::to_string(cosine));
  EXPECT_GT(cosine, golden.about.at("measured").at("bf16_vs_f32_logits_min_cosine").get<double>());
}

// Each step goes on from the reference's token: those of later steps are compared too where it was undecided.
TEST_P(ModelGoldenTest, EveryGreedyStepIsTheReferencesWhereTheGapDecides) {
  PERCEPT_NEED_CASE(which());
  const OpenDecoder open = Open(Mode::kExact);
  const Golden golden(FolderOf(which()), which().name, open.config.hidden_size);
  const std::vector<int64_t> ids = golden.tensors.Integers(golden.prefix + "greedy_ids");
  const std::vector<float> gaps = golden.Floats("greedy_gap");
  // of all steps or the first
  const std::vector<float> step_logits =
      golden.tensors.Has(golden.prefix + "greedy_logits") ? golden.Floats("greedy_logits") : std::vector<float>{};
  const GreedySampler sampler(open.config.vocab_size, SuppressedIds(which()));
  StepRunner runner(*open.decoder, /*threads=*/2);
  const std::unique_ptr<KvCache> cache = runner.NewSequence();
  std::vector<float> logits = runner.Prefill(*cache, golden.prompt, 0, golden.prompt.num_rows(), 1);
  for (size_t step = 0; step < ids.size(); ++step) {
    if ((step + 1) * logits.size() <= step_logits.size()) {
      const auto first = step_logits.begin() + static_cast<std::ptrdiff_t>(step * logits.size());
      ASSERT_LT(MaxDifference(logits, {first, first + open.config.vocab_size}), kLogitTolerance) << "step " << step;
    }
    const int32_t id = sampler.Pick(logits);
    ASSERT_TRUE(id == ids[step] || gaps[step] < 2 * kLogitTolerance) << "step " << step << ": " << id;
    logits = runner.Decode(*cache, static_cast<int32_t>(ids[step]));
  }
}

std::vector<CaseName> SharedCases() {
  std::vector<CaseName> cases;
  for (const char* folder : {"e2b", "e4b", "e2b-256", "12b", "26b", "31b"}) {
    cases.push_back({folder, "text"});
    cases.push_back({folder, "image70"});
  }
  for (const char* folder : {"e2b", "e4b", "12b", "26b", "31b"}) {
    cases.push_back({folder, "image140"});
  }
  for (const char* name : {"image70_all_layers", "image140_all_layers"}) {
    cases.push_back({"12b", name});
  }
  for (const char* folder : {"e2b", "e4b", "e2b-256", "12b"}) {
    cases.push_back({folder, "audio"});
  }
  for (const char* folder : {"e2b", "31b"}) {
    cases.push_back({folder, "video"});
  }
  return cases;
}

std::vector<CaseName> Cases() {
  std::vector<CaseName> cases = SharedCases();
  cases.push_back({"", "text"});
  cases.push_back({"", "image70"});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, ModelGoldenTest,
                         testing::Combine(testing::ValuesIn(Cases()), testing::ValuesIn(RunnableIsas())),
                         [](const auto& test) {
                           const CaseName& which = std::get<0>(test.param);
                           return (which.folder.empty() ? "own" : Letters(which.folder)) + "_" + Letters(which.name) +
                                  "_" + IsaSuffix(std::get<1>(test.param));
                         });

class ModelStageTest : public testing::TestWithParam<CaseName> {
 protected:
  void SetUp() override { PERCEPT_NEED_SHARED(); }

  // Runs all rows of the case through all layers.
  void Run() {
    const CaseName& which = GetParam();
    open_.emplace(FolderOf(which), TestContext(Mode::kExact), EmbeddingScale::kUnrounded, MaskOf(which));
    golden_.emplace(FolderOf(which), which.name, open_->config.hidden_size);
    StepRunner runner(*open_->decoder, /*threads=*/2);
    const std::unique_ptr<KvCache> cache = runner.NewSequence();
    const std::vector<SoftRows> soft = golden_->prompt.SoftIn(0, golden_->prompt.num_rows());
    const Segment segment{.cache = cache.get(),
                          .ids = golden_->prompt.ids,
                          .soft_rows = soft,
                          .num_output_rows = golden_->prompt.num_rows()};
    logits_ = Values(runner.Step({&segment, 1}, &seen_).logits);
  }

  // What a tensor of the golden holds; nothing for one that no forward pass makes.
  std::optional<std::vector<float>> Ours(const std::string& tensor) const {
    if (tensor == "decoder_input") return seen_.Get(ForwardStage::kDecoderInput);
    if (tensor == "ple") return PerLayerEmbeddings();
    if (tensor == "layers") return LayerOutputs();
    if (tensor == "final_norm") return seen_.Get(ForwardStage::kFinalNorm);
    if (tensor == "moe.1.router_logits") return seen_.Get(ForwardStage::kRouterLogits, 1);
    if (tensor == "moe.1.router_probs") return seen_.Get(ForwardStage::kRouterProbabilities, 1);
    if (tensor == "moe.1.router_weights") return seen_.Get(ForwardStage::kExpertWeights, 1);
    if (tensor == "moe.1.experts_out") return seen_.Get(ForwardStage::kExpertsOutput, 1);
    return tensor.starts_with("attn.") ? std::optional(AttentionPart(tensor)) : std::nullopt;
  }

 private:
  // attn.<layer>.<q, k, v or out>, keys and values of the layer that they are read from.
  std::vector<float> AttentionPart(const std::string& tensor) const {
    const int layer_idx = std::stoi(tensor.substr(5));
    const std::string part = tensor.substr(tensor.rfind('.') + 1);
    const int kv_layer_idx = open_->config.layers[static_cast<size_t>(layer_idx)].kv_layer_idx;
    if (part == "q") return seen_.Get(ForwardStage::kQuery, layer_idx);
    if (part == "k") return seen_.Get(ForwardStage::kKey, kv_layer_idx);
    if (part == "v") return seen_.Get(ForwardStage::kValue, kv_layer_idx);
    return seen_.Get(ForwardStage::kAttentionOutput, layer_idx);
  }

  // Of every layer, or of the first and the one that ends the first half.
  std::vector<float> LayerOutputs() const {
    const int num_layers = open_->config.num_layers();
    const bool has_all = golden_->tensors.ShapeOf(golden_->prefix + "layers")[0] == num_layers;
    std::vector<float> layers;
    for (int layer_idx = 0; layer_idx < num_layers; ++layer_idx) {
      if (has_all || layer_idx == 0 || layer_idx == num_layers / 2 - 1) {
        const std::vector<float>& layer = seen_.Get(ForwardStage::kLayerOutput, layer_idx);
        layers.insert(layers.end(), layer.begin(), layer.end());
      }
    }
    return layers;
  }

  // Of every layer, or of the first.
  std::vector<float> PerLayerEmbeddings() const {
    const std::vector<float>& all = seen_.Get(ForwardStage::kPerLayerEmbedding);
    const int64_t width = golden_->tensors.ShapeOf(golden_->prefix + "ple")[1] * open_->config.ple_width;
    const int64_t stride = open_->config.ple_width * open_->config.num_layers();
    return Values({all.data(), golden_->prompt.num_rows(), width, stride});
  }

 protected:
  std::optional<OpenDecoder> open_;
  std::optional<Golden> golden_;
  Recorder seen_;
  std::vector<float> logits_;
};

TEST_P(ModelStageTest, EveryTensorIsTheReferences) {
  Run();
  for (const std::string& name : golden_->tensors.Names()) {
    if (!name.starts_with(golden_->prefix)) {
      continue;
    }
    const std::string tensor = name.substr(golden_->prefix.size());
    if (const auto ours = Ours(tensor)) {
      EXPECT_LT(MaxDifference(*ours, golden_->Floats(tensor)), kHiddenTolerance) << tensor;
    }
  }
  const auto first = static_cast<std::ptrdiff_t>(golden_->first_logit_row * open_->config.vocab_size);
  EXPECT_LT(MaxDifference({logits_.begin() + first, logits_.end()}, golden_->Floats("logits")), kLogitTolerance);
}

INSTANTIATE_TEST_SUITE_P(Cases, ModelStageTest, testing::ValuesIn(SharedCases()),
                         [](const auto& test) { return Letters(test.param.folder) + "_" + Letters(test.param.name); });

// Linear layers in 4 bits.
class ModelPackedGoldenTest : public testing::TestWithParam<Isa> {};

TEST_P(ModelPackedGoldenTest, LogitsAndGreedyTextAreThoseOfTheDequantisedWeights) {
  PERCEPT_NEED_SHARED();
  const std::filesystem::path folder = SharedDir() / "goldens/variants/31b-w4a16";
  const KernelContext context = MakeKernelContext(Mode::kExact, GetParam());
  const TextConfig config = ReadTextConfig(folder / "config.json");
  const PackedInt4Source source(OpenSafetensors(folder));
  ClaimList claims(source);
  const TextDecoder decoder(config, TextWeights::Bind(config, claims, context, EmbeddingScale::kUnrounded), context);
  const GoldenFile golden(folder / "golden.safetensors");
  const PromptRows prompt(golden, "text", config.hidden_size);
  StepRunner runner(decoder, /*threads=*/2);
  const std::unique_ptr<KvCache> cache = runner.NewSequence();
  std::vector<float> logits = runner.Prefill(*cache, prompt, 0, prompt.num_rows(), prompt.num_rows());
  EXPECT_LT(MaxDifference(logits, golden.Floats("text/f32/logits")), kLogitTolerance);
  const GreedySampler sampler(config.vocab_size, {});
  for (const int64_t id : golden.Integers("text/f32/greedy_ids")) {  // with gaps of 0.19 and more
    ASSERT_EQ(sampler.Pick(std::span(logits).last(static_cast<size_t>(config.vocab_size))), id);
    logits = runner.Decode(*cache, static_cast<int32_t>(id));
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, ModelPackedGoldenTest, testing::ValuesIn(RunnableIsas()),
                         [](const auto& test) { return IsaSuffix(test.param); });

}  // namespace
}  // namespace percept
