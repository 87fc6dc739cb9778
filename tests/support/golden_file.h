// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/weights/safetensors.h"

namespace percept {

// Reference tensors by name, as plain vectors.
class GoldenFile {
 public:
  explicit GoldenFile(const std::filesystem::path& path) : source_(OpenSafetensors(path)) {}

  std::vector<std::string> Names() const { return source_->Names(); }
  bool Has(const std::string& name) const { return source_->Find(name) != nullptr; }
  Shape ShapeOf(const std::string& name) const { return Get(name).shape; }

  // An F32 or BF16 tensor.
  std::vector<float> Floats(const std::string& name) const {
    const ConstTensor& tensor = Get(name);
    switch (tensor.dtype) {
      case DType::kF32:
        return Values<float, float>(tensor, [](float value) { return value; });
      case DType::kBF16:
        return Values<uint16_t, float>(tensor, BF16ToFloat);
      default:
        throw std::runtime_error(name + " does not hold floats");
    }
  }

  // An I64, I32 or U8 tensor.
  std::vector<int64_t> Integers(const std::string& name) const {
    const ConstTensor& tensor = Get(name);
    switch (tensor.dtype) {
      case DType::kI64:
        return Values<int64_t, int64_t>(tensor, [](int64_t value) { return value; });
      case DType::kI32:
        return Values<int32_t, int64_t>(tensor, [](int32_t value) { return int64_t{value}; });
      case DType::kU8:
        return Values<uint8_t, int64_t>(tensor, [](uint8_t value) { return int64_t{value}; });
      default:
        throw std::runtime_error(name + " does not hold integers");
    }
  }

 private:
  const ConstTensor& Get(const std::string& name) const {
    const ConstTensor* tensor = source_->Find(name);
    if (tensor == nullptr) {
      throw std::runtime_error("no golden named " + name);
    }
    return *tensor;
  }

  template <typename Stored, typename Value, typename Convert>
  static std::vector<Value> Values(const ConstTensor& tensor, Convert convert) {
    const auto* stored = static_cast<const Stored*>(tensor.bytes);
    std::vector<Value> values;
    values.reserve(static_cast<size_t>(tensor.shape.elements()));
    for (int64_t i = 0; i < tensor.shape.elements(); ++i) {
      values.push_back(convert(stored[i]));
    }
    return values;
  }

  std::unique_ptr<SafetensorsSource> source_;
};

}  // namespace percept
