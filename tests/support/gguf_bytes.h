// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace percept {

// A GGUF file, well-formed or not, piece by piece.
class GgufWriter {
 public:
  static std::string Text(std::string_view text) { return Raw<uint64_t>(text.size()).append(text); }
  template <class T>
  static std::string Raw(T value) {
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    return bytes;
  }

  // The number of a type, and the value's bytes.
  void AddKey(std::string_view key, uint32_t type, std::string_view value) {
    keys_.append(Text(key)).append(Raw(type)).append(value);
    ++num_keys_;
  }
  void AddString(std::string_view key, std::string_view value) { AddKey(key, 8, Text(value)); }
  void AddU32(std::string_view key, uint32_t value) { AddKey(key, 4, Raw(value)); }
  void AddF32(std::string_view key, float value) { AddKey(key, 6, Raw(value)); }
  void AddStrings(std::string_view key, const std::vector<std::string>& values) {
    std::string list = Raw<uint32_t>(8) + Raw<uint64_t>(values.size());
    for (const std::string& value : values) list += Text(value);
    AddKey(key, 9, list);
  }
  // `dims` in the order of the file: the contiguous one first.
  void AddTensor(std::string_view name, uint32_t type, const std::vector<uint64_t>& dims, std::string_view data) {
    data_.resize((data_.size() + 31) / 32 * 32, '\0');
    Describe(name, type, dims, data_.size());
    data_ += data;
  }
  // A tensor without data of its own.
  void Describe(std::string_view name, uint32_t type, const std::vector<uint64_t>& dims, uint64_t offset) {
    tensors_.append(Text(name)).append(Raw<uint32_t>(static_cast<uint32_t>(dims.size())));
    for (const uint64_t dim : dims) tensors_ += Raw(dim);
    tensors_.append(Raw(type)).append(Raw(offset));
    ++num_tensors_;
  }

  std::string Bytes(uint32_t version = 3) const {
    std::string bytes = "GGUF" + Raw(version) + Raw(num_tensors_) + Raw(num_keys_) + keys_ + tensors_;
    bytes.resize((bytes.size() + 31) / 32 * 32, '\0');
    return bytes + data_;
  }

 private:
  std::string keys_;
  std::string tensors_;
  std::string data_;
  uint64_t num_keys_ = 0;
  uint64_t num_tensors_ = 0;
};

}  // namespace percept
