// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/output_collector.h"

#include <optional>
#include <utility>

#include "decoder/text/tool_call_reader.h"
#include "decoder/text/utf8.h"

namespace percept {
namespace {

// The words of a call as the model wrote them.
std::string RawCall(const std::string& words) {
  std::string raw = "<|tool_call>";
  for (const char c : words) {
    if (c == kStringMark) {
      raw += "<|\"|>";
    } else {
      raw += c;
    }
  }
  return raw;
}

}  // namespace

OutputCollector::OutputCollector(const Tokenizer& tokenizer, const SpecialTokens& tokens, Start start)
    : decoder_(tokenizer), tokens_(tokens), state_(start == Start::kText ? State::kText : State::kReasoning) {}

OutputCollector::Start OutputCollector::StartAfter(std::span<const int32_t> prompt_ids, const SpecialTokens& tokens) {
  for (auto id = prompt_ids.rbegin(); id != prompt_ids.rend(); ++id) {
    if (*id == tokens.channel_open) return Start::kReasoning;
    if (*id == tokens.channel_close || *id == tokens.turn_open) break;
  }
  return Start::kText;
}

std::string OutputCollector::Push(int32_t id) {
  std::string delta = Accept(decoder_.Push(id));
  if (id == tokens_.channel_open) {
    // Directly after another one it is a slip: the first is dropped.
    delta += Leave();
    state_ = State::kLabel;
  } else if (id == tokens_.tool_call_open) {
    delta += Leave();
    state_ = State::kCall;
  } else if (id == tokens_.channel_close || id == tokens_.tool_call_close) {
    // Either ends whatever is open; in the text it is stray.
    delta += Leave();
  } else if (id == tokens_.string_mark && state_ == State::kCall) {
    call_ += kStringMark;
  }
  return delta;
}

std::string OutputCollector::Finish() {
  std::string delta = Accept(decoder_.Finish());
  // A channel that is open stays one: its end is missing.
  if (state_ == State::kCall) delta += Leave();
  held_.clear();
  return delta;
}

// Back to the text. What this makes text of: a call that cannot be read.
std::string OutputCollector::Leave() {
  const State left = std::exchange(state_, State::kText);
  if (left == State::kReasoning && reasoning_.ends_with('\n')) reasoning_.pop_back();
  if (left != State::kCall) return {};
  const std::string words = std::exchange(call_, {});
  if (std::optional<ToolCall> call = ReadToolCall(words)) {
    tool_calls_.push_back(std::move(*call));
    return {};
  }
  ++num_unread_calls_;
  return AppendText(RawCall(words));
}

std::string OutputCollector::Accept(const std::string& piece) {
  if (state_ == State::kText) return AppendText(piece);
  if (state_ == State::kCall) {
    call_ += piece;
    return {};
  }
  size_t begin = 0;
  if (state_ == State::kLabel) {
    // The label says what the channel is for; nothing but thoughts is written into one.
    const size_t newline = piece.find('\n');
    if (newline == std::string::npos) return {};
    state_ = State::kReasoning;
    begin = newline + 1;
  }
  reasoning_.append(piece, begin);
  return {};
}

std::string OutputCollector::AppendText(const std::string& piece) {
  held_ += piece;
  if (text_.empty()) held_.erase(0, held_.size() - TrimWhiteSpaceStart(held_).size());
  std::string delta(TrimWhiteSpaceEnd(held_));
  held_.erase(0, delta.size());
  text_ += delta;
  return delta;
}

}  // namespace percept
