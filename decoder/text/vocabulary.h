// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/text/added_tokens.h"

namespace percept {

enum class PieceKind : uint8_t { kNone, kNormal, kByte, kSpecial };

// The highest id that a file of so many tokens may have: ids may leave gaps, but no few tokens make us allocate much.
int64_t MaxTokenId(size_t num_tokens);

// Pieces by id and ids by piece.
class Vocabulary {
 public:
  // pieces: by id, empty where an id has none. Throws CheckpointError that names `source`.
  Vocabulary(std::span<const std::string_view> pieces, std::span<const AddedToken> added_tokens,
             const std::string& source);

  int size() const { return static_cast<int>(kinds_.size()); }
  bool contains(int32_t id) const { return id >= 0 && id < size(); }
  std::string_view piece(int32_t id) const {
    return std::string_view(text_).substr(starts_[id], starts_[id + 1] - starts_[id]);
  }
  PieceKind kind(int32_t id) const { return kinds_[id]; }
  std::optional<int32_t> Find(std::string_view piece) const;
  // The ordinary piece of one code point; -1: there is none.
  int32_t code_point_id(std::string_view code_point) const {
    return code_point.size() == 1 ? ascii_ids_[static_cast<uint8_t>(code_point[0])] : FindNormal(code_point);
  }
  // The piece <0xHH> of a byte.
  int32_t byte_id(uint8_t byte) const { return byte_ids_[byte]; }
  std::optional<uint8_t> byte_of(int32_t id) const;

 private:
  int32_t FindNormal(std::string_view piece) const;
  void Insert(int32_t id, const std::string& source);
  size_t FirstSlot(size_t hash) const { return hash & (slots_.size() - 1); }

  std::string text_;              // all pieces, one after the other
  std::vector<uint32_t> starts_;  // [size + 1] into text_
  std::vector<PieceKind> kinds_;  // [size]
  struct Slot {
    int32_t id = -1;
    uint32_t tag = 0;  // upper half of the hash
  };
  std::vector<Slot> slots_;  // open addressing, a power of two, at most half full
  std::array<int32_t, 256> byte_ids_;
  std::array<int32_t, 128> ascii_ids_;
};

}  // namespace percept
