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

TEST_P(ModelGoldenTest, GreedyTextIsTheReferencesWhereTheGapDecides) {
  PERCEPT_NEED_CASE(which());
  const OpenDecoder open = Open(Mode::kExact);
  const Golden golden(FolderOf(which()), which().name, open.config.hidden_size);
  const std::vector<int64_t> ids = golden.tensors.Integers(golden.prefix + "greedy_ids");
  const std::vector<float> gaps = golden.Floats("greedy_gap");
  const GreedySampler sampler(open.config.vocab_size, SuppressedIds(which()));
  StepRunner runner(*open.decoder, /*threads=*/2);
  const std::unique_ptr<KvCache> cache = runner.NewSequence();
  std::vector<float> logits = runner.Prefill(*cache, golden.prompt, 0, golden.prompt.num_rows(), 1);
  for (size_t step = 0; step < ids.size(); ++step) {
    const int32_t id = sampler.Pick(logits);
    if (id != ids[step]) {
      ASSERT_LT(gaps[step], 2 * kLogitTolerance) << "step " << step << ": " << id << " for " << ids[step];
      break;
    }
    logits = runner.Decode(*cache, id);
  }
}

std::vector<CaseName> Cases() {
  std::vector<CaseName> cases = {{"", "text"}, {"", "image70"}};
  for (const char* folder : {"e2b", "e4b", "e2b-256"}) {
    cases.push_back({folder, "text"});
    cases.push_back({folder, "image70"});
  }
  cases.push_back({"e2b", "image140"});
  cases.push_back({"e2b", "video"});
  cases.push_back({"e4b", "image140"});
  for (const char* folder : {"12b", "26b", "31b"}) {
    cases.push_back({folder, "text"});
    cases.push_back({folder, "image70"});
    cases.push_back({folder, "image140"});
  }
  for (const char* name : {"image70_all_layers", "image140_all_layers", "audio"}) {
    cases.push_back({"12b", name});
  }
  for (const char* folder : {"e2b", "e4b"}) {
    cases.push_back({folder, "audio"});
  }
  cases.push_back({"31b", "video"});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, ModelGoldenTest,
                         testing::Combine(testing::ValuesIn(Cases()), testing::ValuesIn(RunnableIsas())),
                         [](const auto& test) {
                           const CaseName& which = std::get<0>(test.param);
                           return (which.folder.empty() ? "own" : Letters(which.folder)) + "_" + Letters(which.name) +
                                  "_" + IsaSuffix(std::get<1>(test.param));
                         });

class ModelStageTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { PERCEPT_NEED_SHARED(); }

  // Runs all rows of a case through all layers.
  void Run(const std::string& name) {
    const std::filesystem::path folder = SharedDir() / "goldens" / "variants" / GetParam();
    open_.emplace(folder, TestContext(Mode::kExact));
    golden_.emplace(folder, name, open_->config.hidden_size);
    StepRunner runner(*open_->decoder, /*threads=*/2);
    const std::unique_ptr<KvCache> cache = runner.NewSequence();
    const std::vector<SoftRows> soft = golden_->prompt.SoftIn(0, golden_->prompt.num_rows());
    const Segment segment{.cache = cache.get(),
                          .ids = golden_->prompt.ids,
                          .soft_rows = soft,
                          .num_output_rows = golden_->prompt.num_rows()};
    logits_ = Values(runner.Step({&segment, 1}, &seen_).logits);
  }

  // With all rows through all layers.
  void ExpectLogits() {
    const auto first = static_cast<std::ptrdiff_t>(golden_->first_logit_row * open_->config.vocab_size);
    EXPECT_LT(MaxDifference({logits_.begin() + first, logits_.end()}, golden_->Floats("logits")), kLogitTolerance);
  }

  void Expect(const std::vector<float>& values, const std::string& tensor) {
    EXPECT_LT(MaxDifference(values, golden_->Floats(tensor)), kHiddenTolerance) << tensor;
  }

  // `values` are those of all layers; the golden has the first.
  std::vector<float> FirstLayerPart(const std::vector<float>& per_layer) const {
    const size_t width = static_cast<size_t>(open_->config.ple_width);
    const size_t stride = width * open_->config.layers.size();
    std::vector<float> part;
    for (size_t row = 0; row < per_layer.size(); row += stride) {
      part.insert(part.end(), per_layer.begin() + static_cast<std::ptrdiff_t>(row),
                  per_layer.begin() + static_cast<std::ptrdiff_t>(row + width));
    }
    return part;
  }

  std::optional<OpenDecoder> open_;
  std::optional<Golden> golden_;
  Recorder seen_;
  std::vector<float> logits_;
};

TEST_P(ModelStageTest, EveryTensorOfTheTextCaseIsTheReferences) {
  Run("text");
  Expect(seen_.Get(ForwardStage::kDecoderInput), "decoder_input");
  if (open_->config.ple_width > 0) {
    Expect(seen_.Get(ForwardStage::kPerLayerEmbedding), "ple");
  }
  std::vector<float> layers;
  for (int layer_idx = 0; layer_idx < open_->config.num_layers(); ++layer_idx) {
    const std::vector<float>& layer = seen_.Get(ForwardStage::kLayerOutput, layer_idx);
    layers.insert(layers.end(), layer.begin(), layer.end());
  }
  Expect(layers, "layers");
  Expect(seen_.Get(ForwardStage::kFinalNorm), "final_norm");
  for (const int layer_idx : golden_->about.at("attention_layers")) {
    const int kv_layer_idx = open_->config.layers[static_cast<size_t>(layer_idx)].kv_layer_idx;
    const std::string attn = "attn." + std::to_string(layer_idx) + ".";
    Expect(seen_.Get(ForwardStage::kQuery, layer_idx), attn + "q");
    Expect(seen_.Get(ForwardStage::kKey, kv_layer_idx), attn + "k");
    Expect(seen_.Get(ForwardStage::kValue, kv_layer_idx), attn + "v");
    Expect(seen_.Get(ForwardStage::kAttentionOutput, layer_idx), attn + "out");
  }
  ExpectLogits();
}

TEST_P(ModelStageTest, EveryTensorOfTheImageCaseIsTheReferences) {
  Run("image70");
  Expect(seen_.Get(ForwardStage::kDecoderInput), "decoder_input");
  if (open_->config.ple_width > 0) {
    Expect(FirstLayerPart(seen_.Get(ForwardStage::kPerLayerEmbedding)), "ple");
  }
  std::vector<float> layers = seen_.Get(ForwardStage::kLayerOutput, 0);
  const std::vector<float>& middle = seen_.Get(ForwardStage::kLayerOutput, open_->config.num_layers() / 2 - 1);
  layers.insert(layers.end(), middle.begin(), middle.end());
  Expect(layers, "layers");
  for (int layer_idx = 0; layer_idx < open_->config.num_layers(); ++layer_idx) {
    const std::string out = "attn." + std::to_string(layer_idx) + ".out";
    if (golden_->tensors.Has(golden_->prefix + out)) {
      Expect(seen_.Get(ForwardStage::kAttentionOutput, layer_idx), out);
    }
  }
  Expect(seen_.Get(ForwardStage::kFinalNorm), "final_norm");
  ExpectLogits();
}

class ModelExpertsTest : public ModelStageTest {};

TEST_P(ModelExpertsTest, ExpertsAreRoutedAsTheReferences) {
  Run("text");
  constexpr int kLayer = 1;
  Expect(seen_.Get(ForwardStage::kRouterLogits, kLayer), "moe.1.router_logits");
  Expect(seen_.Get(ForwardStage::kRouterProbabilities, kLayer), "moe.1.router_probs");
  Expect(seen_.Get(ForwardStage::kExpertWeights, kLayer), "moe.1.router_weights");
  Expect(seen_.Get(ForwardStage::kExpertsOutput, kLayer), "moe.1.experts_out");
}

INSTANTIATE_TEST_SUITE_P(Variants, ModelStageTest, testing::Values("e2b", "e4b", "12b", "26b", "31b"),
                         [](const auto& test) { return std::string(test.param); });
INSTANTIATE_TEST_SUITE_P(Variants, ModelExpertsTest, testing::Values("26b"));

}  // namespace
}  // namespace percept
