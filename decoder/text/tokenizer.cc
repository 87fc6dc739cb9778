// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/tokenizer.h"

#include <utf8.h>

#include "decoder/text/space_mark.h"
#include "decoder/text/utf8.h"
#include "decoder/text/word_encoder.h"
#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

// Positions within a segment are 32-bit, and a space takes three bytes there.
constexpr size_t kMaxTextBytes = size_t{1} << 29;

std::string WithSpaceMarks(std::string_view segment) {
  std::string marked;
  marked.reserve(segment.size() + segment.size() / 2);
  for (size_t space = segment.find(' '); space != std::string_view::npos; space = segment.find(' ')) {
    marked.append(segment.substr(0, space));
    marked.append(kSpaceMark);
    segment.remove_prefix(space + 1);
  }
  marked.append(segment);
  return marked;
}

std::string MergeName(const std::string& source, const TokenizerParts& parts, size_t rank) {
  const auto& [left, right] = parts.merges[rank];
  return source + ": merge " + std::to_string(rank) + " of " + Quoted(left) + " and " + Quoted(right);
}

// The text of all spans, and its trusted stretches as [begin, end).
struct FlatText {
  std::string text;
  std::vector<std::pair<size_t, size_t>> trusted;
};

FlatText Flatten(std::span<const TextSpan> spans) {
  FlatText flat;
  for (const TextSpan& span : spans) {
    const size_t begin = flat.text.size();
    AppendRepaired(span.text, &flat.text);
    if (span.trust == Trust::kUntrusted) continue;
    if (!flat.trusted.empty() && flat.trusted.back().second == begin) {
      flat.trusted.back().second = flat.text.size();
    } else {
      flat.trusted.emplace_back(begin, flat.text.size());
    }
  }
  return flat;
}

}  // namespace

Tokenizer::Tokenizer(const TokenizerParts& parts, std::string source)
    : source_(std::move(source)),
      vocabulary_(parts.pieces, parts.added_tokens, source_),
      added_tokens_(parts.added_tokens),
      merges_(parts.merges.size()) {
  std::string joined;
  for (size_t rank = 0; rank < parts.merges.size(); ++rank) {
    const auto& [left, right] = parts.merges[rank];
    if (left.empty() || right.empty()) {
      throw CheckpointError(MergeName(source_, parts, rank) + " joins an empty piece, which would never end");
    }
    joined.assign(left);
    joined += right;
    const std::optional<int32_t> left_id = vocabulary_.Find(left);
    const std::optional<int32_t> right_id = vocabulary_.Find(right);
    const std::optional<int32_t> result = vocabulary_.Find(joined);
    if (!left_id || !right_id || !result) {
      const std::string missing = !left_id ? std::string(left) : !right_id ? std::string(right) : joined;
      throw CheckpointError(MergeName(source_, parts, rank) + ": the vocabulary has no piece " + Quoted(missing));
    }
    if (byte_of(*left_id) || byte_of(*right_id)) {
      throw CheckpointError(MergeName(source_, parts, rank) + " joins a piece that stands for a byte");
    }
    // A special token must not grow from ordinary characters: anybody could then write one.
    if (is_special(*result)) continue;
    if (!merges_.Add(*left_id, *right_id, {static_cast<uint32_t>(rank), *result})) {
      throw CheckpointError(MergeName(source_, parts, rank) + " repeats an earlier one");
    }
    cut_rule_.AddMerge(left, right);
  }
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text, Trust trust) const {
  const TextSpan span{std::string(text), trust};
  return Encode(std::span(&span, 1));
}

std::vector<int32_t> Tokenizer::Encode(std::span<const TextSpan> spans) const {
  const FlatText flat = Flatten(spans);
  const std::string_view text = flat.text;
  if (text.size() > kMaxTextBytes) {
    throw InputError("the text has " + std::to_string(text.size()) + " bytes, more than " +
                     std::to_string(kMaxTextBytes));
  }
  std::vector<int32_t> ids;
  size_t segment = 0;
  for (const auto& [begin, end] : flat.trusted) {
    for (size_t pos = begin; pos < end;) {
      const AddedTokens::Match match = added_tokens_.AtStart(text.substr(pos, end - pos));
      if (match.num_bytes == 0) {
        ++pos;
        continue;
      }
      EncodeSegment(text.substr(segment, pos - segment), &ids);
      ids.push_back(match.id);
      pos += match.num_bytes;
      segment = pos;
    }
  }
  EncodeSegment(text.substr(segment), &ids);
  return ids;
}

void Tokenizer::EncodeSegment(std::string_view segment, std::vector<int32_t>* ids) const {
  if (segment.empty()) return;
  const std::string marked = WithSpaceMarks(segment);
  WordEncoder encoder(vocabulary_, merges_, marked.size());
  const char* const end = marked.data() + marked.size();
  const char* word = marked.data();
  const char* next = word;
  const auto read = [&next] {
    // Most text is ASCII, and this is in the way of every character.
    return static_cast<uint8_t>(*next) < 0x80 ? static_cast<char32_t>(*next++) : utf8::unchecked::next(next);
  };
  for (char32_t before = read(); next != end;) {
    const char* const place = next;
    const char32_t after = read();
    if (cut_rule_.CanCut(before, after)) {
      encoder.Append({word, static_cast<size_t>(place - word)}, ids);
      word = place;
    }
    before = after;
  }
  encoder.Append({word, static_cast<size_t>(end - word)}, ids);
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool keep_special) const {
  std::string text;
  std::string bytes;  // of the run of byte pieces so far
  const auto flush = [&] {
    size_t pos = 0;
    while (pos < bytes.size()) {
      const Utf8Prefix prefix = ReadUtf8(std::string_view(bytes).substr(pos));
      if (prefix.state != Utf8State::kComplete) break;
      pos += prefix.num_bytes;
    }
    if (pos == bytes.size()) {
      text += bytes;
    } else {
      for (size_t i = 0; i < bytes.size(); ++i) text += kReplacementCharacter;
    }
    bytes.clear();
  };
  for (int32_t id : ids) {
    RequireKnown(id);
    if (is_special(id) && !keep_special) continue;
    if (const std::optional<uint8_t> byte = byte_of(id)) {
      bytes += static_cast<char>(*byte);
      continue;
    }
    flush();
    AppendText(id, &text);
  }
  flush();
  return text;
}

void Tokenizer::RequireKnown(int32_t id) const {
  if (vocabulary_.contains(id)) return;
  throw ArgumentError("token id " + std::to_string(id) + " is not in the vocabulary of " + source_ + " (0 to " +
                      std::to_string(vocab_size() - 1) + ")");
}

void Tokenizer::AppendText(int32_t id, std::string* text) const {
  std::string_view rest = piece(id);
  for (size_t mark = rest.find(kSpaceMark); mark != std::string_view::npos; mark = rest.find(kSpaceMark)) {
    text->append(rest.substr(0, mark));
    text->push_back(' ');
    rest.remove_prefix(mark + kSpaceMark.size());
  }
  text->append(rest);
}

std::optional<int32_t> Tokenizer::FindId(std::string_view token) const { return vocabulary_.Find(token); }

int32_t Tokenizer::RequireId(std::string_view token) const {
  const std::optional<int32_t> id = FindId(token);
  if (!id) throw CheckpointError(source_ + ": there is no token '" + std::string(token) + "'");
  return *id;
}

}  // namespace percept
