// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "decoder/text/special_tokens.h"
#include "decoder/text/stream_decoder.h"

namespace percept {

// Turns an answer's ids into text (spec: prompt-and-files, section 8.1). Channels are kept apart from the text, special
// tokens are dropped, white space is cut at both ends: the pieces returned by Push and Finish, joined, are text().
class OutputCollector {
 public:
  enum class Start { kText, kReasoning };  // kReasoning: the prompt ended inside an open channel

  OutputCollector(const Tokenizer& tokenizer, const SpecialTokens& tokens, Start start = Start::kText);

  // The id must not be a stop token. Returns text that is final, possibly none.
  std::string Push(int32_t id);
  // The end of the answer.
  std::string Finish();

  const std::string& text() const { return text_; }
  const std::string& reasoning() const { return reasoning_; }
  // The answer ended inside a channel: it was cut off.
  bool in_channel() const { return state_ != State::kText; }

 private:
  enum class State { kText, kLabel, kReasoning };

  std::string Accept(const std::string& piece);
  std::string AppendText(const std::string& piece);
  void CloseChannel();

  StreamDecoder decoder_;
  const int32_t channel_open_;
  const int32_t channel_close_;
  State state_;
  std::string text_;
  std::string held_;  // white space that is part of the text only if more text follows
  std::string reasoning_;
};

}  // namespace percept
