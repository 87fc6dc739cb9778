// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "decoder/config/generation_config.h"
#include "decoder/config/text_config.h"
#include "decoder/text/special_tokens.h"

namespace percept {

// Ids that end an answer: those of both configuration files, the end of the document, of the turn, and the start of a
// tool's response, and what the caller adds (spec: prompt-and-files, section 7).
class StopRule {
 public:
  StopRule(const TextConfig& config, const GenerationConfig& generation, const SpecialTokens& tokens,
           std::span<const int32_t> more_ids = {});

  bool Stops(int32_t id) const;
  // Sorted, unique.
  const std::vector<int32_t>& ids() const { return ids_; }

 private:
  std::vector<int32_t> ids_;
};

}  // namespace percept
