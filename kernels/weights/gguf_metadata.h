// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace percept {

// The types of values, by their numbers in the file (spec: prompt-and-files, section 12).
enum class GgufType : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kList, kU64, kI64, kF64 };

// A value, or the elements of a list; booleans are integers 0 and 1. Strings are views of the file.
struct GgufValue {
  GgufType type = GgufType::kU8;  // of the value, or of each element
  bool is_list = false;
  std::variant<int64_t, double, std::string_view, std::vector<int64_t>, std::vector<double>,
               std::vector<std::string_view>>
      value;
};

// The keys of a GGUF file. What a function asks for must be there, in that form: otherwise CheckpointError names file,
// key and what stands there instead. Valid while the file is mapped.
class GgufMetadata {
 public:
  explicit GgufMetadata(std::string file) : file_(std::move(file)) {}

  // False where the key is there already.
  bool Add(std::string_view key, GgufValue value);

  const std::string& file() const { return file_; }
  bool Has(std::string_view key) const { return values_.contains(key); }
  const std::map<std::string, GgufValue, std::less<>>& values() const { return values_; }

  int64_t Integer(std::string_view key) const;
  double Number(std::string_view key) const;  // of an integer or a float
  bool Bool(std::string_view key) const;
  std::string_view String(std::string_view key) const;
  // `count` integers or booleans: a list of that length, or one value that holds for all.
  std::vector<int64_t> Integers(std::string_view key, int64_t count) const;
  // A list of any length.
  const std::vector<int64_t>& IntegerList(std::string_view key) const;
  const std::vector<std::string_view>& StringList(std::string_view key) const;

  [[noreturn]] void Fail(std::string_view key, const std::string& reason) const;

 private:
  const GgufValue& Require(std::string_view key) const;
  template <class T>
  const T& As(std::string_view key, const char* expected) const;

  std::string file_;
  std::map<std::string, GgufValue, std::less<>> values_;
};

}  // namespace percept
