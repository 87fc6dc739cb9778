// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decoder/text/added_tokens.h"
#include "decoder/text/cut_rule.h"
#include "decoder/text/merge_table.h"
#include "decoder/text/vocabulary.h"
#include "kernels/weights/gguf_metadata.h"

namespace percept {

// Special tokens are recognised in trusted text only. Words of a user, a tool or a file are untrusted.
enum class Trust { kUntrusted, kTrusted };

struct TextSpan {
  std::string text;
  Trust trust = Trust::kUntrusted;

  bool operator==(const TextSpan&) const = default;
};

// What a tokenizer file holds, whatever its format. The views are read by the constructor only.
struct TokenizerParts {
  std::vector<std::string_view> pieces;                               // by id; empty: no piece
  std::vector<std::pair<std::string_view, std::string_view>> merges;  // by rank
  std::vector<AddedToken> added_tokens;                               // these may repeat or extend `pieces`
};

// Byte-pair encoding over whole segments with byte fallback (spec: prompt-and-files, section 2). Const after
// construction: any number of threads may share one.
class Tokenizer {
 public:
  // `source` is the name in messages. Throws CheckpointError where pieces, merges and added tokens do not fit together.
  Tokenizer(const TokenizerParts& parts, std::string source);

  // Reads tokenizer.json.
  static Tokenizer FromFile(const std::filesystem::path& file);
  static Tokenizer FromJson(std::string_view json, const std::string& source);
  // Reads the tokenizer of a GGUF file. Throws CheckpointError.
  static Tokenizer FromGguf(const GgufMetadata& metadata);

  // Merges run across span borders; nothing is added in front. A byte that is not UTF-8 becomes U+FFFD.
  std::vector<int32_t> Encode(std::span<const TextSpan> spans) const;
  std::vector<int32_t> Encode(std::string_view text, Trust trust) const;

  // A run of byte pieces that is not UTF-8 becomes one U+FFFD per byte. Throws ArgumentError for an id out of range.
  std::string Decode(std::span<const int32_t> ids, bool keep_special) const;

  // The id of an added token or a piece.
  std::optional<int32_t> FindId(std::string_view token) const;
  // The same; throws CheckpointError that names the token.
  int32_t RequireId(std::string_view token) const;

  // One more than the largest id.
  int vocab_size() const { return vocabulary_.size(); }
  std::string_view piece(int32_t id) const { return vocabulary_.piece(id); }
  bool is_special(int32_t id) const { return vocabulary_.kind(id) == PieceKind::kSpecial; }
  // The byte a piece such as <0x0A> stands for.
  std::optional<uint8_t> byte_of(int32_t id) const { return vocabulary_.byte_of(id); }
  const std::string& source() const { return source_; }
  // Appends the piece's text, with spaces for marks.
  void AppendText(int32_t id, std::string* text) const;
  // Throws ArgumentError for an id out of range.
  void RequireKnown(int32_t id) const;

 private:
  void EncodeSegment(std::string_view segment, std::vector<int32_t>* ids) const;

  std::string source_;
  Vocabulary vocabulary_;
  AddedTokens added_tokens_;
  MergeTable merges_;
  CutRule cut_rule_;
};

}  // namespace percept
