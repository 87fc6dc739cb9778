// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace percept {

// A string that is one token wherever it is recognised.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = true;  // control: gives no text
};

// Finds added tokens in text.
class AddedTokens {
 public:
  explicit AddedTokens(const std::vector<AddedToken>& tokens);

  struct Match {
    int32_t id = -1;
    size_t num_bytes = 0;  // 0: none
  };
  // The longest token that `text` begins with.
  Match AtStart(std::string_view text) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> ids_;
  std::array<std::vector<size_t>, 256> num_bytes_;  // by first byte: the lengths that occur, longest first
};

}  // namespace percept
