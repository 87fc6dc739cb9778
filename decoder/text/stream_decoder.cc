// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/stream_decoder.h"

#include <optional>

#include "decoder/text/utf8.h"

namespace percept {

std::string StreamDecoder::Push(int32_t id) {
  tokenizer_.RequireKnown(id);
  if (const std::optional<uint8_t> byte = tokenizer_.byte_of(id)) {
    pending_ += static_cast<char>(*byte);
    return TakeComplete();
  }
  std::string text = Finish();
  if (!tokenizer_.is_special(id)) tokenizer_.AppendText(id, &text);
  return text;
}

std::string StreamDecoder::TakeComplete() {
  std::string text;
  size_t pos = 0;
  while (pos < pending_.size()) {
    const Utf8Prefix prefix = ReadUtf8(std::string_view(pending_).substr(pos));
    if (prefix.state == Utf8State::kUnfinished) break;
    if (prefix.state == Utf8State::kComplete) {
      text.append(pending_, pos, prefix.num_bytes);
      pos += prefix.num_bytes;
    } else {
      text += kReplacementCharacter;
      ++pos;
    }
  }
  pending_.erase(0, pos);
  return text;
}

std::string StreamDecoder::Finish() {
  std::string text;
  for (size_t i = 0; i < pending_.size(); ++i) text += kReplacementCharacter;
  pending_.clear();
  return text;
}

}  // namespace percept
