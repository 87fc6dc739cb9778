// SPDX-License-Identifier: Apache-2.0
#include "decoder/text/tool_call_reader.h"

#include <nlohmann/json.hpp>
#include <string>

namespace percept {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDepth = 64;

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == ':' || c == '-';
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

// Each reading function leaves pos_ behind what it read, and answers whether it could.
class CallReader {
 public:
  explicit CallReader(std::string_view text) : text_(Trimmed(text)) {}

  bool Read(ToolCall* call) {
    if (!text_.starts_with("call:")) return false;
    pos_ = 5;
    const size_t begin = pos_;
    while (!AtEnd() && IsNameCharacter(text_[pos_])) ++pos_;
    call->name = text_.substr(begin, pos_ - begin);
    Json arguments;
    if (call->name.empty() || !Take('{') || !ReadObject(&arguments)) return false;
    while (Take('}')) {
    }
    call->arguments = arguments.dump(-1, ' ', false, Json::error_handler_t::replace);
    return AtEnd();
  }

 private:
  bool AtEnd() const { return pos_ >= text_.size(); }
  void SkipSpace() {
    while (!AtEnd() && IsSpace(text_[pos_])) ++pos_;
  }
  bool Take(char c) {
    SkipSpace();
    if (AtEnd() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }

  // Behind its '{'. The end of the words closes what is open.
  bool ReadObject(Json* value) {
    *value = Json::object();
    if (++depth_ > kMaxDepth) return false;
    bool first = true;
    while (!Take('}')) {
      if (AtEnd()) break;
      if (!first && !Take(',')) return false;
      first = false;
      std::string key;
      if (!ReadKey(&key) || !Take(':') || !ReadValue(&(*value)[key])) return false;
    }
    --depth_;
    return true;
  }

  bool ReadArray(Json* value) {
    *value = Json::array();
    if (++depth_ > kMaxDepth) return false;
    bool first = true;
    while (!Take(']')) {
      if (AtEnd()) break;
      if (!first && !Take(',')) return false;
      first = false;
      Json item;
      if (!ReadValue(&item)) return false;
      value->push_back(std::move(item));
    }
    --depth_;
    return true;
  }

  bool ReadKey(std::string* key) {
    SkipSpace();
    if (AtEnd()) return false;
    if (text_[pos_] == kStringMark || text_[pos_] == '"') {
      Json text;
      if (!ReadValue(&text)) return false;
      *key = text.get<std::string>();
      return true;
    }
    const size_t begin = pos_;
    while (!AtEnd() && text_[pos_] != ':' && text_[pos_] != '}') ++pos_;
    *key = Trimmed(text_.substr(begin, pos_ - begin));
    return !key->empty();
  }

  bool ReadValue(Json* value) {
    SkipSpace();
    if (AtEnd()) return false;
    switch (text_[pos_]) {
      case kStringMark:
        ++pos_;
        *value = ReadMarked();
        return true;
      case '{':
        ++pos_;
        return ReadObject(value);
      case '[':
        ++pos_;
        return ReadArray(value);
      case '"':
      case '\'':
        return ReadQuoted(value);
      default:
        return ReadBare(value);
    }
  }

  // Behind the first mark. Where the last is missing, the string ends before the brackets that end the words.
  std::string ReadMarked() {
    const size_t close = text_.find(kStringMark, pos_);
    if (close != std::string_view::npos) {
      std::string text(text_.substr(pos_, close - pos_));
      pos_ = close + 1;
      return text;
    }
    std::string_view rest = text_.substr(pos_);
    for (int left = depth_; left > 0 && (rest.ends_with('}') || rest.ends_with(']')); --left) rest.remove_suffix(1);
    pos_ += rest.size();
    return std::string(rest);
  }

  bool ReadQuoted(Json* value) {
    const char quote = text_[pos_];
    size_t close = pos_ + 1;
    while (close < text_.size() && text_[close] != quote) close += text_[close] == '\\' ? 2 : 1;
    if (close >= text_.size()) return false;
    const std::string_view inside = text_.substr(pos_ + 1, close - pos_ - 1);
    const Json escaped = Json::parse("\"" + std::string(inside) + "\"", nullptr, /*allow_exceptions=*/false);
    *value = escaped.is_string() ? escaped : Json(std::string(inside));
    pos_ = close + 1;
    return true;
  }

  bool ReadBare(Json* value) {
    const size_t end = std::min(text_.find_first_of(",}]", pos_), text_.size());
    const std::string_view word = Trimmed(text_.substr(pos_, end - pos_));
    const Json literal = Json::parse(word, nullptr, /*allow_exceptions=*/false);
    if (!literal.is_discarded() && literal.is_primitive()) {
      *value = literal;
      pos_ = end;
      return true;
    }
    // A mark that opens another string stands behind one of these; any other ends this one, which lacks its first.
    const size_t mark = text_.find(kStringMark, pos_);
    if (mark != std::string_view::npos) {
      const std::string_view before = Trimmed(text_.substr(pos_, mark - pos_));
      if (before.empty() || std::string_view(":,[{").find(before.back()) == std::string_view::npos) {
        *value = std::string(before);
        pos_ = mark + 1;
        return true;
      }
    }
    pos_ = end;
    if (word == "None" || word == "nil") {
      *value = nullptr;
    } else {
      *value = std::string(word);
    }
    return !word.empty();
  }

  const std::string_view text_;
  size_t pos_ = 0;
  int depth_ = 0;
};

}  // namespace

std::optional<ToolCall> ReadToolCall(std::string_view words) {
  ToolCall call;
  if (!CallReader(words).Read(&call)) return std::nullopt;
  return call;
}

}  // namespace percept
