// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/packed_int4.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"

namespace percept {
namespace {

constexpr std::string_view kScales = ".weight_scale";
constexpr std::string_view kWeight = ".weight";
constexpr int64_t kCodesPerWord = 8;

std::string Name(std::string_view layer, std::string_view part) { return std::string(layer).append(part); }

// X of X.weight; empty for other names.
std::string_view LayerOf(std::string_view name) {
  return name.ends_with(kWeight) ? name.substr(0, name.size() - kWeight.size()) : std::string_view();
}

}  // namespace

PackedInt4Source::PackedInt4Source(std::unique_ptr<TensorSource> files) : files_(std::move(files)) {
  for (const std::string& name : files_->Names()) {
    if (!name.ends_with(kPackedCodes)) continue;
    const std::string layer = name.substr(0, name.size() - kPackedCodes.size());
    joined_[Name(layer, kWeight)] = Joined(layer);
  }
}

ConstTensor PackedInt4Source::Joined(const std::string& layer) const {
  const auto fail = [&](std::string_view part, const std::string& reason) {
    throw CheckpointError(files_->FileOf(Name(layer, kPackedCodes)) + ": tensor " + Quoted(Name(layer, part)) + " " +
                          reason);
  };
  const auto part = [&](std::string_view which, DType dtype, int rank) {
    const ConstTensor* tensor = files_->Find(Name(layer, which));
    if (tensor == nullptr) fail(which, "is missing");
    if (tensor->dtype != dtype || tensor->shape.rank() != rank) {
      fail(which, "is " + std::string(Traits(tensor->dtype).name) + " of " + tensor->shape.ToString() + ", not " +
                      std::string(Traits(dtype).name) + " with " + std::to_string(rank) +
                      (rank == 1 ? " dimension" : " dimensions"));
    }
    return *tensor;
  };
  if (files_->Find(Name(layer, kWeight)) != nullptr) fail(kWeight, "is there as well as its codes");
  const ConstTensor codes = part(kPackedCodes, DType::kI32, 2);
  const ConstTensor scales = part(kScales, DType::kBF16, 2);
  const ConstTensor sizes = part(kPackedShape, DType::kI64, 1);
  if (sizes.shape != Shape({2})) fail(kPackedShape, "does not hold two sizes");
  const auto* size = static_cast<const int64_t*>(sizes.bytes);
  const int64_t group = Traits(DType::kInt4).block_elements;
  if (size[0] != codes.shape[0] || size[1] != codes.shape[1] * kCodesPerWord || size[1] % group != 0) {
    fail(kPackedShape, "says [" + std::to_string(size[0]) + ", " + std::to_string(size[1]) + "], but the codes are " +
                           codes.shape.ToString() + " words of " + std::to_string(kCodesPerWord));
  }
  if (scales.shape != Shape({size[0], size[1] / group})) {
    fail(kScales, "has shape " + scales.shape.ToString() + ", not one for each " + std::to_string(group) + " codes");
  }
  return {.bytes = codes.bytes, .dtype = DType::kInt4, .shape = {size[0], size[1]}, .scales = scales.bytes};
}

const ConstTensor* PackedInt4Source::Find(std::string_view name) const {
  const auto it = joined_.find(name);
  return it != joined_.end() ? &it->second : files_->Find(name);
}

std::vector<std::string> PackedInt4Source::Names() const {
  std::vector<std::string> names = files_->Names();
  const auto is_part = [this](const std::string& name) {
    for (const std::string_view part : {kPackedCodes, kScales, kPackedShape}) {
      if (name.ends_with(part)) return joined_.contains(name.substr(0, name.size() - part.size()).append(kWeight));
    }
    return false;
  };
  names.erase(std::remove_if(names.begin(), names.end(), is_part), names.end());
  for (const auto& [name, tensor] : joined_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::string PackedInt4Source::FileOf(std::string_view name) const {
  return files_->FileOf(joined_.contains(name) ? Name(LayerOf(name), kPackedCodes) : std::string(name));
}

void PackedInt4Source::ReleasePages(std::string_view name) const {
  if (!joined_.contains(name)) return files_->ReleasePages(name);
  files_->ReleasePages(Name(LayerOf(name), kPackedCodes));
  files_->ReleasePages(Name(LayerOf(name), kScales));
}

}  // namespace percept
