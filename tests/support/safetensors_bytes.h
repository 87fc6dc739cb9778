// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/dtype.h"

namespace percept {

// A safetensors file from a header written by hand (right or wrong) and its data.
inline std::string SafetensorsBytes(std::string_view header, std::string_view data) {
  const uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes.append(header).append(data);
}

// A well-formed file, tensor by tensor.
class SafetensorsWriter {
 public:
  void AddF32(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values) {
    Add(name, "F32", shape,
        std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)));
  }
  void AddBF16(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values) {
    std::vector<uint16_t> bits;
    bits.reserve(values.size());
    for (const float value : values) {
      bits.push_back(FloatToBF16(value));
    }
    Add(name, "BF16", shape,
        std::string_view(reinterpret_cast<const char*>(bits.data()), bits.size() * sizeof(uint16_t)));
  }
  void Add(const std::string& name, const std::string& dtype, const std::vector<int64_t>& shape,
           std::string_view bytes) {
    std::string dims;
    for (const int64_t dim : shape) {
      dims += (dims.empty() ? "" : ",") + std::to_string(dim);
    }
    header_ += (header_.empty() ? "" : ",") + ("\"" + name + "\":{\"dtype\":\"" + dtype) + "\",\"shape\":[" + dims +
               "],\"data_offsets\":[" + std::to_string(data_.size()) + "," +
               std::to_string(data_.size() + bytes.size()) + "]}";
    data_ += bytes;
  }
  // The header is padded so that the data start 8-byte aligned.
  std::string Bytes() const {
    std::string header = "{" + header_ + "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return SafetensorsBytes(header, data_);
  }

 private:
  std::string header_;
  std::string data_;
};

}  // namespace percept
