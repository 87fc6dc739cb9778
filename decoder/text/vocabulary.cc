// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/vocabulary.h"

#include <utf8.h>

#include <algorithm>
#include <bit>
#include <functional>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

int HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// The byte of a piece <0xHH>.
std::optional<uint8_t> ByteOfPiece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  const int high = HexDigit(piece[3]);
  const int low = HexDigit(piece[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<uint8_t>(high * 16 + low);
}

uint32_t Tag(size_t hash) { return static_cast<uint32_t>(hash >> 32); }

std::vector<std::string_view> WithAdded(std::span<const std::string_view> pieces,
                                        std::span<const AddedToken> added_tokens, const std::string& source) {
  const int64_t max_id = MaxTokenId(pieces.size() + added_tokens.size());
  std::vector<std::string_view> all(pieces.begin(), pieces.end());
  for (const AddedToken& token : added_tokens) {
    if (token.content.empty() || token.id < 0) {
      throw CheckpointError(source + ": added token " + std::to_string(token.id) + " (" + Quoted(token.content) +
                            ") is empty or has a negative id");
    }
    if (token.id > max_id) {
      throw CheckpointError(source + ": added token " + Quoted(token.content) + " has the id " +
                            std::to_string(token.id) + ", more than " + std::to_string(max_id));
    }
    if (static_cast<size_t>(token.id) >= all.size()) all.resize(token.id + 1);
    std::string_view& piece = all[token.id];
    if (!piece.empty() && piece != token.content) {
      throw CheckpointError(source + ": id " + std::to_string(token.id) + " is " + Quoted(piece) +
                            " in the vocabulary and " + Quoted(token.content) + " in added_tokens");
    }
    piece = token.content;
  }
  return all;
}

}  // namespace

int64_t MaxTokenId(size_t num_tokens) {
  constexpr int64_t kMaxId = 1 << 24;
  constexpr int64_t kGaps = 1024;
  return std::min(kMaxId - 1, 2 * static_cast<int64_t>(num_tokens) + kGaps);
}

Vocabulary::Vocabulary(std::span<const std::string_view> pieces, std::span<const AddedToken> added_tokens,
                       const std::string& source) {
  const std::vector<std::string_view> all = WithAdded(pieces, added_tokens, source);
  kinds_.assign(all.size(), PieceKind::kNormal);
  size_t num_bytes = 0;
  for (std::string_view piece : all) num_bytes += piece.size();
  if (num_bytes > UINT32_MAX) throw CheckpointError(source + ": the pieces of the vocabulary take more than 4 GiB");
  text_.reserve(num_bytes);
  starts_.reserve(all.size() + 1);
  starts_.push_back(0);
  for (std::string_view piece : all) {
    text_ += piece;
    starts_.push_back(static_cast<uint32_t>(text_.size()));
  }
  for (const AddedToken& token : added_tokens) {
    if (token.special) kinds_[token.id] = PieceKind::kSpecial;
  }
  slots_.resize(std::bit_ceil(std::max<size_t>(16, 2 * all.size())));
  byte_ids_.fill(-1);
  for (int32_t id = 0; id < size(); ++id) Insert(id, source);
  for (size_t code = 0; code < ascii_ids_.size(); ++code) {
    const char piece = static_cast<char>(code);
    ascii_ids_[code] = FindNormal({&piece, 1});
  }
  for (int byte = 0; byte < 256; ++byte) {
    if (byte_ids_[byte] >= 0) continue;
    constexpr char kDigits[] = "0123456789ABCDEF";
    throw CheckpointError(source + ": the vocabulary has no piece <0x" + kDigits[byte / 16] + kDigits[byte % 16] +
                          "> for a single byte");
  }
}

void Vocabulary::Insert(int32_t id, const std::string& source) {
  const std::string_view text = piece(id);
  if (text.empty()) {
    kinds_[id] = PieceKind::kNone;
    return;
  }
  if (!utf8::is_valid(text.begin(), text.end())) {
    throw CheckpointError(source + ": the piece of id " + std::to_string(id) + " is not UTF-8");
  }
  const size_t hash = std::hash<std::string_view>()(text);
  size_t slot = FirstSlot(hash);
  for (; slots_[slot].id >= 0; slot = FirstSlot(slot + 1)) {
    if (piece(slots_[slot].id) != text) continue;
    throw CheckpointError(source + ": the ids " + std::to_string(slots_[slot].id) + " and " + std::to_string(id) +
                          " have the same piece " + Quoted(text));
  }
  slots_[slot] = {id, Tag(hash)};
  const std::optional<uint8_t> byte = ByteOfPiece(text);
  if (byte && kinds_[id] == PieceKind::kNormal) {
    kinds_[id] = PieceKind::kByte;
    byte_ids_[*byte] = id;
  }
}

std::optional<int32_t> Vocabulary::Find(std::string_view text) const {
  const size_t hash = std::hash<std::string_view>()(text);
  for (size_t slot = FirstSlot(hash); slots_[slot].id >= 0; slot = FirstSlot(slot + 1)) {
    if (slots_[slot].tag == Tag(hash) && piece(slots_[slot].id) == text) return slots_[slot].id;
  }
  return std::nullopt;
}

int32_t Vocabulary::FindNormal(std::string_view piece) const {
  const std::optional<int32_t> id = Find(piece);
  return id && kinds_[*id] == PieceKind::kNormal ? *id : -1;
}

std::optional<uint8_t> Vocabulary::byte_of(int32_t id) const {
  if (kinds_[id] != PieceKind::kByte) return std::nullopt;
  return ByteOfPiece(piece(id));
}

}  // namespace percept
