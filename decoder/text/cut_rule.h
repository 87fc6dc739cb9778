// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace percept {

// Where a segment may be cut into words without changing its pieces (spec: prompt-and-files, section 2.3): between a
// newline or a tab and another character, and before a space mark that follows another character. Each kind of place is
// proven from the merges: those that could join pieces across it are kept as exceptions and looked for at the place;
// where there are too many of them, that kind of place is not cut.
class CutRule {
 public:
  // Every merge of the table must be told before the first question.
  void AddMerge(std::string_view left, std::string_view right);
  // Whether text may be cut before text[pos], 0 < pos < text.size(), the start of a code point.
  bool CanCut(std::string_view text, size_t pos) const;

 private:
  static constexpr size_t kNumKinds = 3;
  static constexpr size_t kMaxExceptions = 16;
  struct Kind {
    bool usable = true;
    std::vector<std::pair<std::string, std::string>> exceptions;  // (text before, text after)
  };

  static bool IsPlace(size_t kind_idx, std::string_view before, std::string_view after);

  std::array<Kind, kNumKinds> kinds_;
};

}  // namespace percept
