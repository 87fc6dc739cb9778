// SPDX-License-Identifier: Apache-2.0
//
//   hear: { type: encode.audio, in: listen.audio }
//
// Turns sound into soft tokens, clip by clip.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "graph/node/registry.h"
#include "kernels/core/error.h"
#include "nodes/encode/encoder_node.h"
#include "nodes/payload/audio_chunk.h"
#include "nodes/payload/soft_tokens.h"
#include "nodes/runtime.h"

namespace percept::nodes {
namespace {

class EncodeAudio final : public EncoderNode {
 public:
  explicit EncodeAudio(Model& model) : EncoderNode(model.engine()), model_(model) {}

 private:
  RequestId Submit(const graph::InputSet& inputs, SoftTokens* tokens,
                   const std::shared_ptr<MediumListener>& listener) override {
    const auto& chunk = inputs.Get("audio").Get<AudioChunk>();
    if (chunk.rate_hz != kSoundRate_hz) {
      throw InputError("sound of " + std::to_string(chunk.rate_hz) + " Hz; a model takes " +
                       std::to_string(kSoundRate_hz));
    }
    RequireClipFits(static_cast<int64_t>(chunk.samples.size()), model_.processor());
    tokens->kind = MediaKind::kAudio;
    tokens->sound = {.origin = chunk.origin, .duration = chunk.duration()};
    return engine().SubmitSound(chunk.samples, listener);
  }

  Model& model_;
};

}  // namespace

void RegisterEncodeAudio(graph::Registry* registry) {
  graph::Contract contract{
      .type = "encode.audio",
      .doc = "Turns sound into soft tokens with a model's audio encoder.",
      .example = "hear: { type: encode.audio, in: listen.audio }",
      .inputs = {{.name = "audio", .types = {"AudioChunk"}, .doc = "clips, each no longer than the model takes"}},
      .outputs = {{.name = "tokens", .type = "SoftTokens", .doc = "one per clip, 40 ms to a row"}},
      .params = ModelParams(),
  };
  const auto make = [](const graph::ParamValues& params, const graph::Services& services) {
    Runtime& runtime = services.Get<Runtime>();
    Model& model = runtime.OpenModel(ModelFilesOf(params, runtime.default_files()));
    RequireTakes(model.card(), MediaKind::kAudio);  // before sound is read
    return std::make_unique<EncodeAudio>(model);
  };
  registry->Register(std::move(contract), make);
}

}  // namespace percept::nodes
