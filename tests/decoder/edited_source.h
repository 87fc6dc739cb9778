// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/core/dtype.h"
#include "kernels/weights/safetensors.h"

namespace percept {

// The text tensors of a checkpoint, some of them renamed, removed, added or with other values.
class EditedSource final : public TensorSource {
 public:
  static constexpr char kPrefix[] = "model.language_model.";

  explicit EditedSource(const std::filesystem::path& folder) : source_(OpenSafetensors(folder)) {
    for (const std::string& name : source_->Names()) {
      if (name.starts_with(kPrefix)) {
        tensors_[name] = *source_->Find(name);
      }
    }
  }

  const ConstTensor* Find(std::string_view name) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> Names() const override {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors_) {
      names.push_back(name);
    }
    return names;
  }
  std::string FileOf(std::string_view) const override { return "model.safetensors"; }
  void ReleasePages(std::string_view name) const override { released_.emplace(name); }

  // Each expert's rows in two tensors, gates and ups, as some GGUF files have them.
  void SplitExperts(const std::string& layer) {
    const ConstTensor both = At(layer + "experts.gate_up_proj");
    const int64_t width = both.shape[1] / 2;
    const int64_t half = width * both.shape[2];
    for (const auto& [name, part] : {std::pair("gate_proj", 0), std::pair("up_proj", 1)}) {
      std::vector<float> values;
      for (int64_t i = 0; i < both.shape[0]; ++i) {
        const auto* rows = static_cast<const uint16_t*>(both.bytes) + (2 * i + part) * half;
        std::transform(rows, rows + half, std::back_inserter(values), BF16ToFloat);
      }
      Add(kPrefix + layer + "experts." + name, {both.shape[0], width, both.shape[2]}, std::move(values));
    }
    Remove(layer + "experts.gate_up_proj");
  }

  ConstTensor& At(const std::string& name) { return tensors_.at(kPrefix + name); }
  void Remove(const std::string& name) { ASSERT_EQ(tensors_.erase(kPrefix + name), 1U); }
  // The values of a BF16 tensor.
  std::vector<float> FloatsOf(const std::string& name) {
    const ConstTensor& tensor = At(name);
    const auto* bits = static_cast<const uint16_t*>(tensor.bytes);
    std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
    std::transform(bits, bits + values.size(), values.begin(), BF16ToFloat);
    return values;
  }
  // `edit(value, place)` of each value of a BF16 tensor.
  void Edit(const std::string& name, const std::function<float(float, int64_t)>& edit) {
    std::vector<float> values = FloatsOf(name);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = edit(values[i], static_cast<int64_t>(i));
    }
    Add(kPrefix + name, At(name).shape, std::move(values));
  }
  // A tensor of ones.
  void AddOnes(const std::string& name, const Shape& shape) {
    Add(name, shape, std::vector<float>(static_cast<size_t>(shape.elements()), 1.0F));
  }
  void Add(const std::string& name, const Shape& shape, std::vector<float> values) {
    values_.push_back(std::move(values));
    tensors_[name] = {.bytes = values_.back().data(), .dtype = DType::kF32, .shape = shape};
  }
  void ReplacePrefix(const std::string& prefix) {
    std::map<std::string, ConstTensor, std::less<>> renamed;
    for (const auto& [name, tensor] : tensors_) {
      renamed[prefix + name.substr(sizeof(kPrefix) - 1)] = tensor;
    }
    tensors_ = std::move(renamed);
  }
  const std::set<std::string>& released() const { return released_; }

 private:
  std::unique_ptr<SafetensorsSource> source_;
  std::map<std::string, ConstTensor, std::less<>> tensors_;
  std::vector<std::vector<float>> values_;
  mutable std::set<std::string> released_;
};

}  // namespace percept
