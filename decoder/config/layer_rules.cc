// SPDX-License-Identifier: Apache-2.0
#include "decoder/config/layer_rules.h"

#include <algorithm>

namespace percept {

int RopeIdx(const RopeSpec& spec, std::vector<RopeSpec>* ropes) {
  const auto found = std::find(ropes->begin(), ropes->end(), spec);
  const int idx = static_cast<int>(found - ropes->begin());
  if (found == ropes->end()) ropes->push_back(spec);
  return idx;
}

std::optional<int> KeyValueLayer(const std::vector<AttentionKind>& kinds, int num_shared, int layer_idx) {
  const int first_shared = static_cast<int>(kinds.size()) - num_shared;
  if (layer_idx < first_shared) return layer_idx;
  for (int donor = first_shared - 1; donor >= 0; --donor) {
    if (kinds[donor] == kinds[layer_idx]) return donor;
  }
  return std::nullopt;
}

}  // namespace percept
