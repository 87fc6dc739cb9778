// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace percept {

// Picks the token with the largest logit; the lowest id where several are equal. Suppressed ids are never picked.
class GreedySampler {
 public:
  // Throws ArgumentError where nothing of the vocabulary is left. Ids outside it are ignored.
  GreedySampler(int vocab_size, std::span<const int32_t> suppress_ids);

  // logits: [vocab_size]. Throws ArgumentError for another size, InternalError where no logit is a number.
  int32_t Pick(std::span<const float> logits) const;

 private:
  int vocab_size_;
  std::vector<int32_t> suppress_ids_;  // sorted, unique
};

}  // namespace percept
