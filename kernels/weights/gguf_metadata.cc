// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/gguf_metadata.h"

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

std::string Describe(const GgufValue& value) {
  static constexpr const char* kNames[] = {"an integer", "a number", "a string", "integers", "numbers", "strings"};
  const std::string name = kNames[value.value.index()];
  if (!value.is_list) return value.type == GgufType::kBool ? "a boolean" : name;
  return "a list of " + (value.type == GgufType::kBool ? std::string("booleans") : name);
}

}  // namespace

bool GgufMetadata::Add(std::string_view key, GgufValue value) {
  return values_.emplace(std::string(key), std::move(value)).second;
}

void GgufMetadata::Fail(std::string_view key, const std::string& reason) const {
  throw CheckpointError(file_ + ": key " + Quoted(key) + " " + reason);
}

const GgufValue& GgufMetadata::Require(std::string_view key) const {
  const auto it = values_.find(key);
  if (it == values_.end()) Fail(key, "is missing");
  return it->second;
}

template <class T>
const T& GgufMetadata::As(std::string_view key, const char* expected) const {
  const GgufValue& value = Require(key);
  const T* found = std::get_if<T>(&value.value);
  if (found == nullptr) Fail(key, "is " + Describe(value) + ", not " + expected);
  return *found;
}

int64_t GgufMetadata::Integer(std::string_view key) const { return As<int64_t>(key, "an integer"); }

double GgufMetadata::Number(std::string_view key) const {
  const GgufValue& value = Require(key);
  if (const auto* integer = std::get_if<int64_t>(&value.value)) return static_cast<double>(*integer);
  return As<double>(key, "a number");
}

bool GgufMetadata::Bool(std::string_view key) const {
  const GgufValue& value = Require(key);
  if (value.type != GgufType::kBool || value.is_list) Fail(key, "is " + Describe(value) + ", not a boolean");
  return std::get<int64_t>(value.value) != 0;
}

std::string_view GgufMetadata::String(std::string_view key) const { return As<std::string_view>(key, "a string"); }

std::vector<int64_t> GgufMetadata::Integers(std::string_view key, int64_t count) const {
  if (!Require(key).is_list) return std::vector<int64_t>(static_cast<size_t>(count), Integer(key));
  const std::vector<int64_t>& list = IntegerList(key);
  if (static_cast<int64_t>(list.size()) != count) {
    Fail(key, "has " + std::to_string(list.size()) + " elements, not " + std::to_string(count));
  }
  return list;
}

const std::vector<int64_t>& GgufMetadata::IntegerList(std::string_view key) const {
  return As<std::vector<int64_t>>(key, "a list of integers");
}

const std::vector<std::string_view>& GgufMetadata::StringList(std::string_view key) const {
  return As<std::vector<std::string_view>>(key, "a list of strings");
}

}  // namespace percept
