// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "decoder/text/tokenizer.h"

namespace percept {

// Turns ids into text as they come (spec: prompt-and-files, section 2.4). What it returns is always whole UTF-8: bytes
// of an unfinished code point wait for the rest. Special tokens give no text. The tokenizer outlives it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // The text that id completes, possibly none.
  std::string Push(int32_t id);
  // What is left of an unfinished code point: one U+FFFD per byte.
  std::string Finish();

 private:
  std::string TakeComplete();

  const Tokenizer& tokenizer_;
  std::string pending_;  // at most 3 bytes between calls
};

}  // namespace percept
