// SPDX-License-Identifier: Apache-2.0
// Drafters against the reference's tensors, stage by stage, with the keys and values that the target itself makes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "decoder/config/drafter_rules.h"
#include "decoder/model/drafter.h"
#include "tests/decoder/model_fixture.h"
#include "tests/support/closeness.h"
#include "tests/support/isa_caps.h"
#include "tests/support/shared_dir.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_context.h"

namespace percept {
namespace {

constexpr double kHiddenTolerance = 2e-4;
constexpr double kLogitTolerance = 1e-3;
constexpr int64_t kSteps = 4;

std::filesystem::path TargetDir(const std::string& name) { return SharedDir() / "goldens" / "variants" / name; }
std::filesystem::path DrafterDir(const std::string& name) { return SharedDir() / "goldens" / "drafters" / name; }

// A target with its drafter.
struct OpenDrafter {
  OpenDrafter(const std::string& name, const KernelContext& context)
      : target(TargetDir(name), context),
        config(ReadTextConfig(DrafterDir(name) / "config.json")),
        source(OpenSafetensors(DrafterDir(name))) {
    RequireDrafterFor(target.config, "target", config, "drafter");
    ClaimList claims(*source);
    drafter = std::make_unique<Drafter>(config, DrafterWeights::Bind(config, claims, context), *target.decoder);
    claims.RequireAllClaimed();
  }

  OpenDecoder target;
  TextConfig config;
  std::unique_ptr<SafetensorsSource> source;
  std::unique_ptr<Drafter> drafter;
};

// Keeps the tensors of all steps, one after the other.
class Recorder final : public ForwardObserver {
 public:
  void OnTensor(ForwardStage stage, int layer_idx, ConstMatrixView values) override {
    std::vector<float>& all = tensors_[{stage, layer_idx}];
    const std::vector<float> more = Values(values);
    all.insert(all.end(), more.begin(), more.end());
  }
  const std::vector<float>& Get(ForwardStage stage, int layer_idx = -1) const {
    return tensors_.at({stage, layer_idx});
  }

 private:
  std::map<std::pair<ForwardStage, int>, std::vector<float>> tensors_;
};

double MaxDifference(const std::vector<float>& a, const std::vector<float>& b) {
  const auto size = static_cast<int64_t>(a.size());
  return MaxAbsDifference(ConstMatrixView(a.data(), 1, size, size), b);
}

// The target after the prompt of the goldens, and the drafting from there.
class Round {
 public:
  Round(const OpenDrafter& open, const GoldenFile& golden)
      : open_(open),
        runner_(*open.target.decoder, /*threads=*/2),
        cache_(runner_.NewSequence()),
        activations_(open.config, 2, 400) {
    for (const int64_t id : golden.Integers("context_ids")) ids_.push_back(static_cast<int32_t>(id));
    hidden_ = Extend(ids_, 1);
  }

  // The hidden state of the last row.
  std::vector<float> Extend(std::span<const int32_t> ids, int64_t num_output_rows) {
    const Segment segment{.cache = cache_.get(), .ids = ids, .soft_rows = {}, .num_output_rows = num_output_rows};
    const ForwardOutput output = runner_.Step({&segment, 1});
    logits_ = Values(output.logits);
    return Values(output.hidden.Rows(output.hidden.rows - 1, 1));
  }
  std::vector<int32_t> Draft(int32_t id, int64_t steps, ForwardObserver* observer) {
    std::vector<int32_t> drafted;
    DraftRow row{.cache = cache_.get(), .id = id, .hidden = hidden_};
    for (int64_t step = 0; step < steps; ++step) {
      open_.drafter->Step({&row, 1}, activations_, observer);
      drafted.push_back(row.id);
    }
    return drafted;
  }
  KvCache& cache() { return *cache_; }
  std::vector<float>& hidden() { return hidden_; }
  DraftActivations& activations() { return activations_; }
  StepRunner& runner() { return runner_; }

 private:
  const OpenDrafter& open_;
  StepRunner runner_;
  std::unique_ptr<KvCache> cache_;
  DraftActivations activations_;
  std::vector<int32_t> ids_;
  std::vector<float> hidden_;
  std::vector<float> logits_;
};

class DrafterGoldenTest : public testing::TestWithParam<std::tuple<std::string, Isa>> {
 protected:
  OpenDrafter Open(Mode mode) const {
    return {std::get<0>(GetParam()), MakeKernelContext(mode, std::get<1>(GetParam()))};
  }
  GoldenFile Goldens() const { return GoldenFile(DrafterDir(std::get<0>(GetParam())) / "golden.safetensors"); }
};

// Of [steps, layers, width] one layer of all steps.
std::vector<float> Layer(const std::vector<float>& layers, int64_t num_layers, int64_t layer_idx) {
  const int64_t width = static_cast<int64_t>(layers.size()) / (kSteps * num_layers);
  std::vector<float> values;
  for (int64_t step = 0; step < kSteps; ++step) {
    const auto first = layers.begin() + (step * num_layers + layer_idx) * width;
    values.insert(values.end(), first, first + width);
  }
  return values;
}

// Of each row of `logits` the `count` largest, descending: those that were scored.
std::vector<float> Largest(const std::vector<float>& logits, int64_t num_rows, int64_t count) {
  const int64_t width = static_cast<int64_t>(logits.size()) / num_rows;
  std::vector<float> values;
  for (int64_t row = 0; row < num_rows; ++row) {
    std::vector<float> sorted(logits.begin() + row * width, logits.begin() + (row + 1) * width);
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    values.insert(values.end(), sorted.begin(), sorted.begin() + count);
  }
  return values;
}

TEST_P(DrafterGoldenTest, EveryStageIsTheReferences) {
  PERCEPT_NEED_SHARED();
  const OpenDrafter open = Open(Mode::kExact);
  const GoldenFile golden = Goldens();
  Round round(open, golden);
  Recorder seen;
  const auto bonus = static_cast<int32_t>(golden.Integers("bonus_id").front());
  const std::vector<int32_t> drafted = round.Draft(bonus, kSteps, &seen);

  EXPECT_LT(MaxDifference(seen.Get(ForwardStage::kDraftInput), golden.Floats("strict.input")), kHiddenTolerance);
  EXPECT_LT(MaxDifference(seen.Get(ForwardStage::kDecoderInput), golden.Floats("strict.x")), kHiddenTolerance);
  const int num_layers = open.config.num_layers();
  for (int i = 0; i < num_layers; ++i) {
    EXPECT_LT(
        MaxDifference(seen.Get(ForwardStage::kLayerOutput, i), Layer(golden.Floats("strict.layers"), num_layers, i)),
        kHiddenTolerance)
        << "layer " << i;
  }
  EXPECT_LT(MaxDifference(seen.Get(ForwardStage::kFinalNorm), golden.Floats("strict.h")), kHiddenTolerance);
  EXPECT_LT(MaxDifference(seen.Get(ForwardStage::kDraftHidden), golden.Floats("strict.g_next")), kHiddenTolerance);
  if (golden.Has("strict.centroid_logits")) {
    EXPECT_LT(MaxDifference(seen.Get(ForwardStage::kCentroidLogits), golden.Floats("strict.centroid_logits")),
              kLogitTolerance);
  }
  const std::vector<float>& logits = seen.Get(ForwardStage::kDraftLogits);
  const int64_t num_scored = static_cast<int64_t>(logits.size()) / kSteps;
  EXPECT_EQ(num_scored, golden.Has("strict.centroid_logits") ? 4 * 512 / 32 : 512);
  EXPECT_LT(
      MaxDifference(Largest(logits, kSteps, num_scored), Largest(golden.Floats("strict.logits"), kSteps, num_scored)),
      kLogitTolerance);
  const std::vector<int64_t> tokens = golden.Integers("strict.token");
  EXPECT_EQ(std::vector<int64_t>(drafted.begin(), drafted.end()), tokens);
}

TEST_P(DrafterGoldenTest, ASequencesDraftHasTheBitsOfOneAlone) {
  PERCEPT_NEED_SHARED();
  const OpenDrafter open = Open(Mode::kExact);
  const GoldenFile golden = Goldens();
  const auto bonus = static_cast<int32_t>(golden.Integers("bonus_id").front());
  Round alone(open, golden);
  Round beside(open, golden);
  const std::unique_ptr<KvCache> other = beside.runner().NewSequence();
  const int32_t other_ids[] = {2, 77};
  const Segment segment{.cache = other.get(), .ids = other_ids, .soft_rows = {}, .num_output_rows = 1};
  std::vector<float> other_hidden = Values(beside.runner().Step({&segment, 1}).hidden);
  DraftRow rows[] = {{.cache = other.get(), .id = 5, .hidden = other_hidden},
                     {.cache = &beside.cache(), .id = bonus, .hidden = beside.hidden()}};
  open.drafter->Step(rows, beside.activations());
  EXPECT_EQ(rows[1].id, alone.Draft(bonus, 1, nullptr).front());
  EXPECT_EQ(beside.hidden(), alone.hidden());
}

TEST_P(DrafterGoldenTest, DrawsNothingFromAnEmptyCacheOrTooManyRows) {
  PERCEPT_NEED_SHARED();
  const OpenDrafter open = Open(Mode::kExact);
  Round round(open, Goldens());
  const std::unique_ptr<KvCache> empty = round.runner().NewSequence();
  DraftRow row{.cache = empty.get(), .id = 5, .hidden = round.hidden()};
  EXPECT_THAT(
      [&] {
        open.drafter->Step({&row, 1}, round.activations());
      },
      testing::ThrowsMessage<ArgumentError>("decoder step: nothing to draft from in an empty KV cache"));
  std::vector<DraftRow> rows(3, {.cache = &round.cache(), .id = 5, .hidden = round.hidden()});
  EXPECT_THAT([&] { open.drafter->Step(rows, round.activations()); },
              testing::ThrowsMessage<ArgumentError>("decoder step: 3 segments, room for 2"));
}

// A drafter's file with one tensor's first bytes written over.
std::string BindRefusal(const std::string& tensor, std::string_view bytes) {
  std::stringstream file;
  file << std::ifstream(DrafterDir("e2b") / "model.safetensors", std::ios::binary).rdbuf();
  std::string text = file.str();
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, text.data(), sizeof(header_bytes));
  const nlohmann::json header = nlohmann::json::parse(text.substr(sizeof(header_bytes), header_bytes));
  const size_t first = sizeof(header_bytes) + header_bytes + header.at(tensor).at("data_offsets").at(0).get<size_t>();
  text.replace(first, bytes.size(), bytes);
  const TempFolder folder;
  const std::unique_ptr<SafetensorsSource> source = OpenSafetensors(folder.Write("model.safetensors", text));
  ClaimList claims(*source);
  try {
    DrafterWeights::Bind(ReadTextConfig(DrafterDir("e2b") / "config.json"), claims, TestContext(Mode::kExact));
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "";
}

TEST(DrafterWeightsTest, AnOrderingThatIsNoneIsRefused) {
  PERCEPT_NEED_SHARED();
  const int64_t twice[] = {3, 3};
  EXPECT_THAT(BindRefusal("masked_embedding.token_ordering", {reinterpret_cast<const char*>(twice), sizeof(twice)}),
              testing::EndsWith("model.safetensors: tensor 'masked_embedding.token_ordering' names token 3 twice"));
  const int64_t outside = 512;
  EXPECT_THAT(
      BindRefusal("masked_embedding.token_ordering", {reinterpret_cast<const char*>(&outside), sizeof(outside)}),
      testing::EndsWith("holds 512 at 0, expected 0 to 511"));
}

TEST(DrafterWeightsTest, AMissingTensorIsNamed) {
  PERCEPT_NEED_SHARED();
  const std::unique_ptr<SafetensorsSource> source = OpenSafetensors(DrafterDir("31b"));
  TextConfig config = ReadTextConfig(DrafterDir("31b") / "config.json");
  config.drafter->num_centroids = 32;
  ClaimList claims(*source);
  EXPECT_THAT([&] { DrafterWeights::Bind(config, claims, TestContext(Mode::kExact)); },
              testing::ThrowsMessage<CheckpointError>(
                  testing::HasSubstr("tensor 'masked_embedding.centroids.weight' is missing")));
}

INSTANTIATE_TEST_SUITE_P(Drafters, DrafterGoldenTest,
                         testing::Combine(testing::Values("e2b", "31b"), testing::ValuesIn(RunnableIsas())),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" + IsaSuffix(std::get<1>(test.param));
                         });

std::string PairRefusal(const TextConfig& target, const TextConfig& drafter) {
  try {
    RequireDrafterFor(target, "model/config.json", drafter, "drafter/config.json");
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "";
}

TextConfig ReadConfig(const std::string& folder) {
  return ReadTextConfig(TestDataDir() / "config" / folder / "config.json");
}

TEST(DrafterRulesTest, ADrafterFitsItsTargetAlone) {
  EXPECT_EQ(PairRefusal(ReadConfig("e2b"), ReadConfig("e2b-drafter")), "");
  EXPECT_EQ(PairRefusal(ReadConfig("31b"), ReadConfig("31b-drafter")), "");
  EXPECT_EQ(PairRefusal(ReadConfig("31b"), ReadConfig("e2b-drafter")),
            "drafter/config.json: the drafter of another model than model/config.json: made for width 64, not 96, "
            "sliding layers with this many key and value heads: 1, not 4, "
            "full layers with this many key and value heads: 1, not 2");
  TextConfig target = ReadConfig("e2b");
  target.sliding_window = 8;
  target.vocab_size = 600;
  for (RopeSpec& rope : target.ropes) rope.theta += 1;
  EXPECT_THAT(PairRefusal(target, ReadConfig("e2b-drafter")),
              testing::HasSubstr("a vocabulary of 512, not 600, a window of 16, not 8, another rotation in sliding "
                                 "layers, another rotation in full layers"));
  EXPECT_EQ(PairRefusal(ReadConfig("e2b"), ReadConfig("e2b")),
            "drafter/config.json: no drafter, it names no model to draft for (backbone_hidden_size)");
}

TEST(DrafterRulesTest, MechanismsThatNoDrafterHasAreNamed) {
  TextConfig drafter = ReadConfig("e2b-drafter");
  drafter.ple_width = 16;
  drafter.experts.emplace();
  drafter.layers.back().mlp_width *= 2;
  drafter.tied_embeddings = false;
  drafter.drafter->num_centroids = 33;
  EXPECT_EQ(PairRefusal(ReadConfig("e2b"), drafter),
            "drafter/config.json: this version cannot run a drafter with per-layer embeddings "
            "(hidden_size_per_layer_input), experts (enable_moe_block), feed-forward layers of several widths "
            "(use_double_wide_mlp), an output matrix of its own (tie_word_embeddings), 33 centroids (num_centroids), "
            "which do not divide the vocabulary of 512");
}

}  // namespace
}  // namespace percept
