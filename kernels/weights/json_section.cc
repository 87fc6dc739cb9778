// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/json_section.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <system_error>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

// No file that is meant has more; what recurses into a value ends in the stack's size.
constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxTextFile_bytes = size_t{1} << 26;

// Refuses while parsing what a tree would hide: a key given twice, of which the last would win, and depth.
class FormCheck {
 public:
  explicit FormCheck(const std::string& file) : file_(file) {}

  bool operator()(int /*depth*/, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) {
      open_.emplace_back();
      if (open_.size() > kMaxDepth) {
        throw CheckpointError(file_ + ": is nested more than " + std::to_string(kMaxDepth) + " deep");
      }
    } else if (event == Event::object_end || event == Event::array_end) {
      open_.pop_back();
    } else if (event == Event::key && !open_.back().insert(parsed.get<std::string>()).second) {
      throw CheckpointError(file_ + ": the key " + Quoted(parsed.get<std::string>()) + " is given twice in one object");
    }
    return true;
  }

 private:
  const std::string& file_;
  std::vector<std::set<std::string>> open_;  // the keys so far of every object around; empty for a list
};

std::string Shortened(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  constexpr size_t kMaxShown = 60;
  if (text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "…";
  return Shown(text);
}

}  // namespace

nlohmann::json JsonSection::ParseRoot(std::string_view json, const std::string& file) {
  try {
    nlohmann::json root = nlohmann::json::parse(json, FormCheck(file));
    if (!root.is_object()) throw CheckpointError(file + ": is not a JSON object");
    return root;
  } catch (const nlohmann::json::exception& error) {
    throw CheckpointError(file + ": not JSON: " + Shown(error.what()));
  }
}

JsonSection::JsonSection(const nlohmann::json& object, std::string prefix, const std::string& file)
    : object_(object), prefix_(std::move(prefix)), file_(file) {}

void JsonSection::Fail(const std::string& key, const std::string& reason) const {
  throw CheckpointError(file_ + ": " + prefix_ + Shown(key) + " " + reason);
}

bool JsonSection::Has(const std::string& key) const {
  const auto found = object_.find(key);
  return found != object_.end() && !found->is_null();
}

const nlohmann::json& JsonSection::Value(const std::string& key) const {
  if (!Has(key)) Fail(key, "is missing");
  return *object_.find(key);
}

int JsonSection::Int(const std::string& key, int min, int max) const {
  const nlohmann::json& value = Value(key);
  if (!value.is_number_integer()) Fail(key, "is not an integer but " + Shortened(value));
  // An unsigned number above the signed range would turn negative; min and max are far inside it.
  const bool too_large = value.is_number_unsigned() && value.get<uint64_t>() > INT32_MAX;
  const int64_t number = too_large ? INT64_MAX : value.get<int64_t>();
  if (number < min || number > max) {
    Fail(key, "is " + Shortened(value) + ", outside " + std::to_string(min) + ".." + std::to_string(max));
  }
  return static_cast<int>(number);
}

std::optional<int> JsonSection::OptionalInt(const std::string& key, int min, int max) const {
  if (!Has(key)) return std::nullopt;
  return Int(key, min, max);
}

double JsonSection::Number(const std::string& key) const {
  const nlohmann::json& value = Value(key);
  if (!value.is_number()) Fail(key, "is not a number but " + Shortened(value));
  return value.get<double>();
}

std::optional<double> JsonSection::OptionalNumber(const std::string& key) const {
  if (!Has(key)) return std::nullopt;
  return Number(key);
}

bool JsonSection::BoolOr(const std::string& key, bool otherwise) const {
  if (!Has(key)) return otherwise;
  const nlohmann::json& value = Value(key);
  if (!value.is_boolean()) Fail(key, "is not a boolean but " + Shortened(value));
  return value.get<bool>();
}

std::string JsonSection::String(const std::string& key) const {
  const nlohmann::json& value = Value(key);
  if (!value.is_string()) Fail(key, "is not a string but " + Shortened(value));
  return value.get<std::string>();
}

std::optional<std::string> JsonSection::OptionalString(const std::string& key) const {
  if (!Has(key)) return std::nullopt;
  return String(key);
}

std::vector<int32_t> JsonSection::Ids(const std::string& key) const {
  if (!Has(key)) return {};
  const nlohmann::json& value = Value(key);
  const nlohmann::json list = value.is_array() ? value : nlohmann::json::array({value});
  std::set<int32_t> ids;
  for (const nlohmann::json& id : list) {
    const bool is_id = id.is_number_unsigned() && id.get<uint64_t>() <= INT32_MAX;
    if (!is_id) Fail(key, "holds " + Shortened(id) + ", which is no token id");
    ids.insert(id.get<int32_t>());
  }
  return {ids.begin(), ids.end()};
}

JsonSection JsonSection::Section(const std::string& key) const {
  const nlohmann::json& value = Value(key);
  if (!value.is_object()) Fail(key, "is not an object but " + Shortened(value));
  return JsonSection(value, prefix_ + key + ".", file_);
}

std::string ReadTextFile(const std::filesystem::path& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) throw CheckpointError(file.string() + ": is a folder, not a file");
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw CheckpointError(file.string() + ": cannot be opened");
  std::string text;
  std::vector<char> piece(size_t{1} << 16);
  while (stream.read(piece.data(), static_cast<std::streamsize>(piece.size())), stream.gcount() > 0) {
    text.append(piece.data(), static_cast<size_t>(stream.gcount()));
    if (text.size() > kMaxTextFile_bytes) {
      throw CheckpointError(file.string() + ": has more than " + std::to_string(kMaxTextFile_bytes) +
                            " bytes, far above what such a file needs");
    }
  }
  if (stream.bad()) throw CheckpointError(file.string() + ": cannot be read");
  return text;
}

}  // namespace percept
