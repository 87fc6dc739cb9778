// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace percept {

// One object of a JSON file. What is missing or has another type is a CheckpointError that names file and key. A key
// that is null counts as absent.
class JsonSection {
 public:
  // Parses a whole file; its root must be an object.
  static nlohmann::json ParseRoot(std::string_view json, const std::string& file);
  // `prefix` is the object's place in the file, "" or "text_config.". All outlive the section.
  JsonSection(const nlohmann::json& object, std::string prefix, const std::string& file);

  bool Has(const std::string& key) const;
  int Int(const std::string& key, int min, int max) const;
  std::optional<int> OptionalInt(const std::string& key, int min, int max) const;
  double Number(const std::string& key) const;
  std::optional<double> OptionalNumber(const std::string& key) const;
  bool BoolOr(const std::string& key, bool otherwise) const;
  std::string String(const std::string& key) const;
  std::optional<std::string> OptionalString(const std::string& key) const;
  // One id, a list of ids, or nothing. Sorted, without repeats.
  std::vector<int32_t> Ids(const std::string& key) const;
  JsonSection Section(const std::string& key) const;
  const nlohmann::json& object() const { return object_; }

  [[noreturn]] void Fail(const std::string& key, const std::string& reason) const;

 private:
  const nlohmann::json& Value(const std::string& key) const;

  const nlohmann::json& object_;
  std::string prefix_;
  const std::string& file_;
};

// The whole of a small text file. Throws CheckpointError.
std::string ReadTextFile(const std::filesystem::path& file);

}  // namespace percept
