// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "decoder/text/special_tokens.h"
#include "decoder/text/stream_decoder.h"
#include "decoder/text/tool.h"

namespace percept {

// Turns an answer's ids into text (spec: prompt-and-files, sections 8.1 and 8.2). Channels and tool calls are kept
// apart from the text, special tokens are dropped, white space is cut at both ends: the pieces returned by Push and
// Finish, joined, are text().
class OutputCollector {
 public:
  enum class Start { kText, kReasoning };  // kReasoning: the prompt ended inside an open channel

  OutputCollector(const Tokenizer& tokenizer, const SpecialTokens& tokens, Start start = Start::kText);
  // Where an answer to this prompt starts.
  static Start StartAfter(std::span<const int32_t> prompt_ids, const SpecialTokens& tokens);

  // The id must not be a stop token. Returns text that is final, possibly none.
  std::string Push(int32_t id);
  // The end of the answer.
  std::string Finish();

  const std::string& text() const { return text_; }
  const std::string& reasoning() const { return reasoning_; }
  // In their order, each once it is complete.
  const std::vector<ToolCall>& tool_calls() const { return tool_calls_; }
  // Calls that could not be read. Their words are in the text.
  int num_unread_calls() const { return num_unread_calls_; }
  // The answer ended inside a channel: it was cut off.
  bool in_channel() const { return state_ == State::kLabel || state_ == State::kReasoning; }

 private:
  enum class State { kText, kLabel, kReasoning, kCall };

  std::string Accept(const std::string& piece);
  std::string AppendText(const std::string& piece);
  std::string Leave();

  StreamDecoder decoder_;
  const SpecialTokens tokens_;
  State state_;
  std::string text_;
  std::string held_;  // white space that is part of the text only if more text follows
  std::string reasoning_;
  std::string call_;  // the words of the one that is open
  std::vector<ToolCall> tool_calls_;
  int num_unread_calls_ = 0;
};

}  // namespace percept
