// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <utility>

#include "engine/machine.h"

namespace percept {

Engine::Engine(const EngineParts& parts, const EngineOptions& options)
    : machine_(std::make_unique<Machine>(parts, options)) {}

Engine::~Engine() = default;

RequestId Engine::SubmitPicture(ImagePatches picture, std::shared_ptr<MediumListener> listener,
                                const Urgency& urgency) {
  return machine_->SubmitPicture(std::move(picture), std::move(listener), urgency);
}

RequestId Engine::SubmitSound(std::vector<float> samples, std::shared_ptr<MediumListener> listener,
                              const Urgency& urgency) {
  return machine_->SubmitSound(std::move(samples), std::move(listener), urgency);
}

RequestId Engine::SubmitSequence(SequenceRequest request, std::shared_ptr<SequenceListener> listener) {
  return machine_->SubmitSequence(std::move(request), std::move(listener));
}

void Engine::Cancel(RequestId id) { machine_->Cancel(id); }

EngineCounts Engine::counts() const { return machine_->counts(); }

int64_t Engine::context_tokens() const { return machine_->options().context_tokens; }

}  // namespace percept
