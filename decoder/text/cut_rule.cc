// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/cut_rule.h"

#include "decoder/text/space_mark.h"

namespace percept {

bool CutRule::IsPlace(size_t kind_idx, std::string_view before, std::string_view after) {
  switch (kind_idx) {
    case 0:
      return before.ends_with('\n') != after.starts_with('\n');
    case 1:
      return before.ends_with('\t') != after.starts_with('\t');
    default:
      return after.starts_with(kSpaceMark) && !before.ends_with(kSpaceMark);
  }
}

void CutRule::AddMerge(std::string_view left, std::string_view right) {
  for (size_t kind_idx = 0; kind_idx < kNumKinds; ++kind_idx) {
    Kind& kind = kinds_[kind_idx];
    if (!kind.usable || !IsPlace(kind_idx, left, right)) continue;
    kind.exceptions.emplace_back(left, right);
    if (kind.exceptions.size() > kMaxExceptions) kind = {false, {}};
  }
}

bool CutRule::CanCut(std::string_view text, size_t pos) const {
  const std::string_view before = text.substr(0, pos);
  const std::string_view after = text.substr(pos);
  for (size_t kind_idx = 0; kind_idx < kNumKinds; ++kind_idx) {
    const Kind& kind = kinds_[kind_idx];
    if (!kind.usable || !IsPlace(kind_idx, before, after)) continue;
    bool joined = false;
    for (const auto& [left, right] : kind.exceptions) {
      joined = joined || (before.ends_with(left) && after.starts_with(right));
    }
    if (!joined) return true;
  }
  return false;
}

}  // namespace percept
