// SPDX-License-Identifier: Apache-2.0
//
//   see: { type: encode.vision, in: read.image, budget: 280 }
//
// Turns pictures into soft tokens.
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "encoders/vision/image_size.h"
#include "graph/node/registry.h"
#include "kernels/core/error.h"
#include "nodes/encode/encoder_node.h"
#include "nodes/payload/image.h"
#include "nodes/payload/soft_tokens.h"
#include "nodes/runtime.h"

namespace percept::nodes {
namespace {

class EncodeVision final : public EncoderNode {
 public:
  EncodeVision(Model& model, int budget)
      : EncoderNode(model.engine()), model_(model), budget_(budget == 0 ? model.processor().image_budget : budget) {}

 private:
  RequestId Submit(const graph::InputSet& inputs, SoftTokens* tokens,
                   const std::shared_ptr<MediumListener>& listener) override {
    const auto& image = inputs.Get("image").Get<Image>();
    const auto start = std::chrono::steady_clock::now();
    ImagePatches patches = model_.PreparePicture(image.pixels, budget_);
    tokens->kind = MediaKind::kImage;
    tokens->picture = {.source = image.source,
                       .num_in_source = image.num_in_source,
                       .size = image.pixels.size(),
                       .resized = {patches.grid.columns * kPatchSide_px, patches.grid.rows * kPatchSide_px},
                       .budget = budget_,
                       .repairs = image.repairs,
                       .decode_time = image.decode_time,
                       .preprocess_time = std::chrono::steady_clock::now() - start};
    return engine().SubmitPicture(std::move(patches), listener);
  }

  Model& model_;
  const int budget_;
};

void CheckParams(const graph::ParamValues& params, const std::vector<std::string>& /*input_ports*/) {
  const int64_t budget = params.Get<int64_t>("budget");
  if (budget != 0) {
    try {
      CheckImageBudget(static_cast<int>(budget));
    } catch (const ArgumentError& error) {
      throw graph::DefinitionError(params.PositionOf("budget"), error.what());
    }
  }
}

}  // namespace

void RegisterEncodeVision(graph::Registry* registry) {
  graph::Contract contract{
      .type = "encode.vision",
      .doc = "Turns pictures into soft tokens with a model's vision tower.",
      .example = "see: { type: encode.vision, in: read.image, budget: 280 }",
      .inputs = {{.name = "image", .types = {"Image"}, .doc = "upright RGB pictures of any size"}},
      .outputs = {{.name = "tokens", .type = "SoftTokens", .doc = "one per picture, in order"}},
      .params = {graph::ParamDecl{
          .name = "budget",
          .type = graph::ParamType::kInt,
          .doc = "soft tokens a picture may take: 70, 140, 280, 560 or 1120; 0 is the model's own",
          .min = 0,
          .max = 1120}
                     .Default("0")},
  };
  for (graph::ParamDecl& param : ModelParams()) contract.params.push_back(std::move(param));
  const auto make = [](const graph::ParamValues& params, const graph::Services& services) {
    Runtime& runtime = services.Get<Runtime>();
    Model& model = runtime.OpenModel(ModelFilesOf(params, runtime.default_files()));
    RequireTakes(model.card(), MediaKind::kImage);  // before a picture is read
    return std::make_unique<EncodeVision>(model, static_cast<int>(params.Get<int64_t>("budget")));
  };
  registry->Register(std::move(contract), make, CheckParams);
}

}  // namespace percept::nodes
