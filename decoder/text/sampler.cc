// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/sampler.h"

#include <algorithm>
#include <string>

#include "kernels/core/error.h"

namespace percept {

GreedySampler::GreedySampler(int vocab_size, std::span<const int32_t> suppress_ids) : vocab_size_(vocab_size) {
  std::copy_if(suppress_ids.begin(), suppress_ids.end(), std::back_inserter(suppress_ids_),
               [&](int32_t id) { return id >= 0 && id < vocab_size; });
  std::sort(suppress_ids_.begin(), suppress_ids_.end());
  suppress_ids_.erase(std::unique(suppress_ids_.begin(), suppress_ids_.end()), suppress_ids_.end());
  if (static_cast<int>(suppress_ids_.size()) == vocab_size) {
    throw ArgumentError("all " + std::to_string(vocab_size) + " tokens of the vocabulary are suppressed");
  }
}

int32_t GreedySampler::Pick(std::span<const float> logits) const {
  if (static_cast<int>(logits.size()) != vocab_size_) {
    throw ArgumentError("there are " + std::to_string(logits.size()) + " logits for a vocabulary of " +
                        std::to_string(vocab_size_));
  }
  int32_t best = -1;
  auto suppressed = suppress_ids_.begin();
  for (int32_t id = 0; id < vocab_size_; ++id) {
    if (suppressed != suppress_ids_.end() && *suppressed == id) {
      ++suppressed;
      continue;
    }
    const float logit = logits[id];
    if (best < 0 ? logit == logit : logit > logits[best]) best = id;
  }
  if (best < 0)
    throw InternalError(
        "the model computed no number for the next token: its weights or an input hold NaN or infinity");
  return best;
}

}  // namespace percept
