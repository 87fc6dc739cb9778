// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/stop_rule.h"

#include <algorithm>

namespace percept {

StopRule::StopRule(const TextConfig& config, const GenerationConfig& generation, const SpecialTokens& tokens,
                   std::span<const int32_t> more_ids)
    : ids_{tokens.eos, tokens.turn_close, tokens.tool_response_open} {
  ids_.insert(ids_.end(), config.token_ids.eos.begin(), config.token_ids.eos.end());
  ids_.insert(ids_.end(), generation.eos_ids.begin(), generation.eos_ids.end());
  ids_.insert(ids_.end(), more_ids.begin(), more_ids.end());
  std::sort(ids_.begin(), ids_.end());
  ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
}

bool StopRule::Stops(int32_t id) const { return std::binary_search(ids_.begin(), ids_.end(), id); }

}  // namespace percept
