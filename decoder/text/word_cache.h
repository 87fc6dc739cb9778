// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace percept {

// Short words of a long text with their ids: most of its words come again. A newer word takes the place of an older
// one.
class WordCache {
 public:
  // Keeps nothing for a short text, where filling it would take longer than it saves.
  explicit WordCache(size_t num_text_bytes);

  static constexpr size_t kMaxBytes = 30;
  static constexpr size_t kMaxIds = 8;

  // Empty: not here.
  std::span<const int32_t> Find(std::string_view word) const;
  // Does nothing for a longer word or more ids.
  void Keep(std::string_view word, std::span<const int32_t> ids);

 private:
  struct Entry {
    uint8_t num_bytes = 0;
    uint8_t num_ids = 0;
    std::array<char, kMaxBytes> bytes;
    std::array<int32_t, kMaxIds> ids;
  };
  size_t SlotOf(std::string_view word) const;

  std::vector<Entry> entries_;  // a power of two, or none
};

}  // namespace percept
