// SPDX-License-Identifier: Apache-2.0
//
//   see: { type: encode.vision, in: read.image, budget: 280 }
//
// Turns pictures into soft tokens. The tower runs as steps of the model's engine: several pictures may be on their way.
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "encoders/vision/image_size.h"
#include "graph/node/registry.h"
#include "kernels/core/error.h"
#include "nodes/payload/image.h"
#include "nodes/payload/soft_tokens.h"
#include "nodes/runtime.h"

namespace percept::nodes {
namespace {

using Clock = std::chrono::steady_clock;

// One picture in the engine: what the engine will say about it, and who is to be woken then.
class PictureAtWork : public PictureListener {
 public:
  struct Outcome {
    std::shared_ptr<const percept::SoftTokens> rows;  // null: it failed
    std::string failure;
    Clock::time_point time;
  };

  PictureAtWork(graph::Pending work, PictureFacts picture, graph::Waker waker)
      : pending(std::move(work)), facts(std::move(picture)), waker_(std::move(waker)) {}

  void OnSoftTokens(std::shared_ptr<const percept::SoftTokens> rows) override { End({std::move(rows), "", {}}); }
  void OnPictureFailed(FinishReason finish, std::string reason) override {
    End({nullptr, finish == FinishReason::kCancelled ? "cancelled" : std::move(reason), {}});
  }
  void Fail(graph::ErrorKind kind, std::string reason) {
    error_kind = kind;
    End({nullptr, std::move(reason), {}});
  }

  // Null while the engine works on it. Never changes back.
  const Outcome* outcome() const {
    const std::lock_guard lock(mutex_);
    return ended_ ? &outcome_ : nullptr;
  }

  // The node's own.
  graph::Pending pending;
  PictureFacts facts;
  graph::ErrorKind error_kind = graph::ErrorKind::kNode;
  RequestId request = 0;
  Clock::time_point submit_time;

 private:
  void End(Outcome outcome) {
    outcome.time = Clock::now();
    graph::Waker waker;
    {
      const std::lock_guard lock(mutex_);
      outcome_ = std::move(outcome);
      ended_ = true;
      waker = std::move(waker_);
    }
    waker.Wake();
  }

  mutable std::mutex mutex_;
  bool ended_ = false;
  Outcome outcome_;
  graph::Waker waker_;
};

class EncodeVision : public graph::Node {
 public:
  EncodeVision(Model& model, int budget)
      : model_(model), budget_(budget == 0 ? model.processor().image_budget : budget) {}

  graph::Process Process(graph::NodeContext& context) override {
    if (!context.inputs().empty() && !set_taken_) {
      Submit(context);
      set_taken_ = true;
    }
    if (SendFinished(context)) {
      return graph::Process::kHaveOutput;
    }
    set_taken_ = false;
    return graph::Process::kNeedInput;
  }

  void Close() override {
    for (const auto& picture : at_work_) {
      model_.engine().Cancel(picture->request);
    }
    at_work_.clear();
  }

 private:
  void Submit(graph::NodeContext& context) {
    const auto& image = context.inputs().Get("image").Get<Image>();
    PictureFacts facts{.source = image.source,
                       .num_in_source = image.num_in_source,
                       .size = image.pixels.size(),
                       .budget = budget_,
                       .repairs = image.repairs,
                       .decode_time = image.decode_time};
    auto picture = std::make_shared<PictureAtWork>(context.Hold(), std::move(facts), context.waker());
    at_work_.push_back(picture);
    if (picture->pending.cancelled()) {
      return picture->Fail(graph::ErrorKind::kNode, "cancelled");
    }
    try {
      const Clock::time_point start = Clock::now();
      ImagePatches patches = model_.PreparePicture(image.pixels, budget_);
      picture->submit_time = Clock::now();
      picture->facts.preprocess_time = picture->submit_time - start;
      picture->facts.resized = {patches.grid.columns * kPatchSide_px, patches.grid.rows * kPatchSide_px};
      picture->facts.num_soft_tokens = patches.grid.num_soft_tokens();
      picture->request = model_.engine().SubmitPicture(std::move(patches), picture);
    } catch (const InputError& error) {
      picture->Fail(graph::ErrorKind::kBadInput, error.what());
    }
  }

  // In the order they came: time never runs backwards on an edge. True where more is ready than the output has room
  // for.
  bool SendFinished(graph::NodeContext& context) {
    while (!at_work_.empty()) {
      PictureAtWork& picture = *at_work_.front();
      const PictureAtWork::Outcome* outcome = picture.outcome();
      if (outcome == nullptr) {
        return false;
      }
      if (!context.CanSend("tokens")) {
        return true;
      }
      if (outcome->rows == nullptr) {
        context.SendError(picture.error_kind, outcome->failure, picture.pending);
      } else {
        picture.facts.encode_time = outcome->time - picture.submit_time;
        SoftTokens tokens{.rows = outcome->rows, .kind = MediaKind::kImage, .picture = std::move(picture.facts)};
        context.Send("tokens", graph::Packet::Make(std::move(tokens), picture.pending.time()), picture.pending);
      }
      picture.pending.Done();
      at_work_.pop_front();
    }
    return false;
  }

  Model& model_;
  const int budget_;
  std::deque<std::shared_ptr<PictureAtWork>> at_work_;
  bool set_taken_ = false;  // the set is kept while there is no room on the output
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

// Before a picture is read.
void RequireVision(const Model& model) {
  const ModelCard& card = model.card();
  if (card.text.vision == EncoderKind::kNone) {
    throw CheckpointError(
        card.path + ": this model takes no pictures" +
        (card.is_gguf ? ": its GGUF file has no encoders, and no mmproj file is given (--mmproj) or in its folder"
                      : ": it has no vision encoder"));
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
    RequireVision(model);
    return std::make_unique<EncodeVision>(model, static_cast<int>(params.Get<int64_t>("budget")));
  };
  registry->Register(std::move(contract), make, CheckParams);
}

}  // namespace percept::nodes
