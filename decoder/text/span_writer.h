// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "decoder/text/tokenizer.h"

namespace percept {

// Puts a prompt together; neighbours of one trust are one span.
class SpanWriter {
 public:
  void Trusted(std::string_view text) { Add(text, Trust::kTrusted); }
  void Untrusted(std::string_view text) { Add(text, Trust::kUntrusted); }
  std::vector<TextSpan> Take() { return std::move(spans_); }

 private:
  void Add(std::string_view text, Trust trust) {
    if (text.empty()) return;
    if (spans_.empty() || spans_.back().trust != trust) spans_.push_back({{}, trust});
    spans_.back().text += text;
  }

  std::vector<TextSpan> spans_;
};

}  // namespace percept
