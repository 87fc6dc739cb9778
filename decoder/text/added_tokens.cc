// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/added_tokens.h"

#include <algorithm>
#include <functional>

namespace percept {

AddedTokens::AddedTokens(const std::vector<AddedToken>& tokens) {
  for (const AddedToken& token : tokens) {
    ids_.emplace(token.content, token.id);
    num_bytes_[static_cast<uint8_t>(token.content[0])].push_back(token.content.size());
  }
  for (std::vector<size_t>& lengths : num_bytes_) {
    std::sort(lengths.begin(), lengths.end(), std::greater<>());
    lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  }
}

AddedTokens::Match AddedTokens::AtStart(std::string_view text) const {
  if (text.empty()) return {};
  for (size_t num_bytes : num_bytes_[static_cast<uint8_t>(text[0])]) {
    if (num_bytes > text.size()) continue;
    const auto found = ids_.find(text.substr(0, num_bytes));
    if (found != ids_.end()) return {found->second, num_bytes};
  }
  return {};
}

}  // namespace percept
