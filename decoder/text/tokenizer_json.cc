// SPDX-License-Identifier: Apache-2.0
// Reads tokenizer.json (spec: prompt-and-files, section 2.1).
#include <simdjson.h>

#include "decoder/text/space_mark.h"
#include "decoder/text/tokenizer.h"
#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

class TokenizerReader {
 public:
  TokenizerReader(element root, const std::string& source) : root_(root), source_(source) {}

  TokenizerParts Read() {
    const object model = Get<object>(root_, "model", "model", "an object");
    RequireKnownForm(model);
    TokenizerParts parts;
    const object vocab = Get<object>(model, "vocab", "model.vocab", "an object");
    const array added_tokens = Get<array>(root_, "added_tokens", "added_tokens", "an array");
    max_id_ = MaxTokenId(vocab.size() + added_tokens.size());
    parts.pieces = ReadPieces(vocab);
    const array merges = Get<array>(model, "merges", "model.merges", "an array");
    for (element merge : merges) parts.merges.push_back(ReadMerge(merge, parts.merges.size()));
    for (element token : added_tokens) {
      parts.added_tokens.push_back(ReadAddedToken(token, parts.added_tokens.size()));
    }
    return parts;
  }

 private:
  [[noreturn]] void Fail(const std::string& path, const std::string& reason) const {
    throw CheckpointError(source_ + ": " + path + " " + reason);
  }

  template <typename T, typename From>
  T Get(const From& from, const char* key, const std::string& path, const char* type) const {
    element value;
    T result;
    if (from.at_key(key).get(value) != simdjson::SUCCESS) Fail(path, "is missing");
    if (value.get(result) != simdjson::SUCCESS) Fail(path, std::string("is not ") + type);
    return result;
  }

  template <typename From>
  static bool IsNullOrAbsent(const From& from, const char* key) {
    element value;
    return from.at_key(key).get(value) != simdjson::SUCCESS || value.is_null();
  }

  int32_t CheckedId(int64_t id, const std::string& path) const {
    if (id < 0 || id > max_id_) {
      Fail(path, "has the id " + std::to_string(id) + ", outside 0.." + std::to_string(max_id_));
    }
    return static_cast<int32_t>(id);
  }

  // A file that changes or cuts text in another way is refused: its ids would silently be wrong.
  void RequireKnownForm(object model) const {
    if (Get<std::string_view>(model, "type", "model.type", "a string") != "BPE") Fail("model.type", "is not 'BPE'");
    if (!Get<bool>(model, "byte_fallback", "model.byte_fallback", "a boolean"))
      Fail("model.byte_fallback", "is not true");
    for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!IsNullOrAbsent(model, key)) Fail(std::string("model.") + key, "is not null");
    }
    bool ignore_merges = false;
    if (model.at_key("ignore_merges").get(ignore_merges) == simdjson::SUCCESS && ignore_merges) {
      Fail("model.ignore_merges", "is not false");
    }
    RequireSpaceNormalizer();
    RequireIdleSplit();
  }

  void RequireSpaceNormalizer() const {
    const object normalizer = Get<object>(root_, "normalizer", "normalizer", "an object");
    const object pattern = Get<object>(normalizer, "pattern", "normalizer.pattern", "an object");
    if (Get<std::string_view>(normalizer, "type", "normalizer.type", "a string") != "Replace" ||
        Get<std::string_view>(pattern, "String", "normalizer.pattern.String", "a string") != " " ||
        Get<std::string_view>(normalizer, "content", "normalizer.content", "a string") != kSpaceMark) {
      Fail("normalizer", "does something else than replace spaces by U+2581");
    }
  }

  // After the normalizer no space is left, so a split at spaces does nothing.
  void RequireIdleSplit() const {
    if (IsNullOrAbsent(root_, "pre_tokenizer")) return;
    const object split = Get<object>(root_, "pre_tokenizer", "pre_tokenizer", "an object");
    if (Get<std::string_view>(split, "type", "pre_tokenizer.type", "a string") == "Split") {
      const object pattern = Get<object>(split, "pattern", "pre_tokenizer.pattern", "an object");
      std::string_view text;
      if (pattern.at_key("String").get(text) == simdjson::SUCCESS && text == " ") return;
    }
    Fail("pre_tokenizer", "does something else than split at spaces");
  }

  std::vector<std::string_view> ReadPieces(object vocab) const {
    std::vector<std::string_view> pieces(vocab.size());
    for (const auto& [piece, value] : vocab) {
      const std::string path = "model.vocab[" + Quoted(piece) + "]";
      int64_t number;
      if (value.get(number) != simdjson::SUCCESS) Fail(path, "is not an integer");
      const int32_t id = CheckedId(number, path);
      if (piece.empty()) Fail(path, "is an empty piece");
      if (static_cast<size_t>(id) >= pieces.size()) pieces.resize(id + 1);
      if (!pieces[id].empty()) Fail(path, "has the id of " + Quoted(pieces[id]));
      pieces[id] = piece;
    }
    return pieces;
  }

  std::pair<std::string_view, std::string_view> ReadMerge(element merge, size_t rank) const {
    const auto path = [rank] { return "model.merges[" + std::to_string(rank) + "]"; };
    std::string_view left;
    std::string_view right;
    if (merge.get(left) == simdjson::SUCCESS) {
      // Pieces hold no space, but one may be nothing else than other white space.
      const size_t space = left.find(' ', 1);
      if (space == std::string_view::npos) Fail(path(), "is not two pieces with a space between");
      right = left.substr(space + 1);
      left = left.substr(0, space);
    } else {
      array pair;
      if (merge.get(pair) != simdjson::SUCCESS || pair.size() != 2 || pair.at(0).get(left) != simdjson::SUCCESS ||
          pair.at(1).get(right) != simdjson::SUCCESS) {
        Fail(path(), "is neither two strings nor a string");
      }
    }
    if (left.empty() || right.empty()) Fail(path(), "joins an empty piece");
    return {left, right};
  }

  AddedToken ReadAddedToken(element token, size_t idx) const {
    const std::string path = "added_tokens[" + std::to_string(idx) + "]";
    AddedToken added;
    added.id = CheckedId(Get<int64_t>(token, "id", path + ".id", "an integer"), path);
    added.content = Get<std::string_view>(token, "content", path + ".content", "a string");
    added.special = Get<bool>(token, "special", path + ".special", "a boolean");
    for (const char* key : {"normalized", "lstrip", "rstrip", "single_word"}) {
      bool set = false;
      if (token.at_key(key).get(set) == simdjson::SUCCESS && set) Fail(path + "." + key, "is not false");
    }
    return added;
  }

  element root_;
  const std::string& source_;
  int64_t max_id_ = 0;
};

Tokenizer FromDocument(simdjson::simdjson_result<element> document, const std::string& source) {
  element root;
  const simdjson::error_code error = document.get(root);
  if (error == simdjson::IO_ERROR) throw CheckpointError(source + ": cannot be read");
  if (error != simdjson::SUCCESS) throw CheckpointError(source + ": not JSON: " + simdjson::error_message(error));
  return Tokenizer(TokenizerReader(root, source).Read(), source);
}

}  // namespace

Tokenizer Tokenizer::FromFile(const std::filesystem::path& file) {
  simdjson::dom::parser parser;
  return FromDocument(parser.load(file.string()), file.string());
}

Tokenizer Tokenizer::FromJson(std::string_view json, const std::string& source) {
  simdjson::dom::parser parser;
  return FromDocument(parser.parse(json.data(), json.size()), source);
}

}  // namespace percept
