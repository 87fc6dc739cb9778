// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/output_collector.h"

#include "decoder/text/utf8.h"

namespace percept {

OutputCollector::OutputCollector(const Tokenizer& tokenizer, const SpecialTokens& tokens, Start start)
    : decoder_(tokenizer),
      channel_open_(tokens.channel_open),
      channel_close_(tokens.channel_close),
      state_(start == Start::kText ? State::kText : State::kReasoning) {}

std::string OutputCollector::Push(int32_t id) {
  std::string delta = Accept(decoder_.Push(id));
  if (id == channel_open_) {
    state_ = State::kLabel;
  } else if (id == channel_close_) {
    CloseChannel();
  }
  return delta;
}

std::string OutputCollector::Finish() {
  std::string delta = Accept(decoder_.Finish());
  held_.clear();
  return delta;
}

void OutputCollector::CloseChannel() {
  if (state_ == State::kReasoning && reasoning_.ends_with('\n')) reasoning_.pop_back();
  state_ = State::kText;
}

std::string OutputCollector::Accept(const std::string& piece) {
  if (state_ == State::kText) return AppendText(piece);
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
