// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decoder/text/tokenizer.h"
#include "tests/support/gzip_file.h"
#include "tests/support/shared_dir.h"

namespace percept {

inline nlohmann::json ReadJson(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error(file.string() + " cannot be opened");
  return nlohmann::json::parse(stream);
}

// The 512-piece tokenizer of the reference's small checkpoints.
inline Tokenizer TinyTokenizer() { return Tokenizer::FromFile(TestDataDir() / "text" / "tiny_tokenizer.json"); }

inline std::filesystem::path RealTokenizerFile() { return SharedDir() / "tokenizer" / "tokenizer.json.gz"; }

inline Tokenizer RealTokenizer() { return Tokenizer::FromJson(ReadGzipFile(RealTokenizerFile()), "tokenizer.json"); }

#define PERCEPT_NEED_REAL_TOKENIZER()                        \
  do {                                                       \
    if (!std::filesystem::exists(RealTokenizerFile())) {     \
      GTEST_SKIP() << "there is no " << RealTokenizerFile(); \
    }                                                        \
  } while (false)

// A tokenizer put together by a test: the byte pieces, then what is added.
class MadeTokenizer {
 public:
  MadeTokenizer() {
    for (int byte = 0; byte < 256; ++byte) {
      constexpr char kDigits[] = "0123456789ABCDEF";
      Piece(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">");
    }
  }

  MadeTokenizer& Piece(std::string piece) {
    parts_.pieces.push_back(text_.emplace_back(std::move(piece)));
    return *this;
  }
  MadeTokenizer& Merge(std::string left, std::string right) {
    const std::string_view kept_left = text_.emplace_back(std::move(left));
    const std::string_view kept_right = text_.emplace_back(std::move(right));
    parts_.merges.emplace_back(kept_left, kept_right);
    return *this;
  }
  MadeTokenizer& Added(const std::string& content, bool special = true) {
    parts_.added_tokens.push_back({static_cast<int32_t>(parts_.pieces.size()), content, special});
    return Piece(content);
  }

  const TokenizerParts& parts() const { return parts_; }
  Tokenizer Build() const { return Tokenizer(parts_, "made"); }

 private:
  std::deque<std::string> text_;
  TokenizerParts parts_;
};

// The pieces of ids, for readable failures.
inline std::vector<std::string> Pieces(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::vector<std::string> pieces;
  pieces.reserve(ids.size());
  for (int32_t id : ids) pieces.emplace_back(tokenizer.piece(id));
  return pieces;
}

// The message of the exception that `call` throws.
template <typename Exception, typename Call>
std::string MessageOf(Call call) {
  try {
    call();
  } catch (const Exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace percept
