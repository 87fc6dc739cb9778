// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/claim_list.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"
#include "kernels/ops/dequantize.h"

namespace percept {
namespace {

constexpr size_t kNumSuggestions = 3;
constexpr size_t kNumListed = 8;

// Levenshtein distance of two names, or `limit` where it is not below it.
size_t EditDistance(std::string_view a, std::string_view b, size_t limit) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) >= limit) {
    return limit;
  }
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, diagonal + 1, row[j] + 1});
    }
    if (*std::min_element(row.begin(), row.end()) >= limit) {
      return limit;
    }
  }
  return std::min(row.back(), limit);
}

std::string NearestNames(std::string_view name, const TensorSource& source) {
  const std::vector<std::string> candidates = source.Names();
  const size_t limit = name.size() / 4 + 3;
  std::vector<std::pair<size_t, std::string_view>> near;
  for (const std::string& candidate : candidates) {
    if (const size_t distance = EditDistance(name, candidate, limit); distance < limit) {
      near.emplace_back(distance, candidate);
    }
  }
  std::sort(near.begin(), near.end());
  std::string text;
  for (size_t i = 0; i < std::min(near.size(), kNumSuggestions); ++i) {
    text += (i == 0 ? " (nearest: " : ", ") + Quoted(source.NameInFile(near[i].second));
  }
  return text.empty() ? text : text + ")";
}

}  // namespace

void ClaimList::Fail(std::string_view name, const std::string& reason) const {
  throw CheckpointError(source_.FileOf(name) + ": tensor " + Quoted(source_.NameInFile(name)) + " " + reason);
}

const ConstTensor& ClaimList::Find(std::string_view name, const Shape& shape, bool (*is_type)(DType),
                                   const char* types) const {
  const ConstTensor* tensor = source_.Find(name);
  if (tensor == nullptr) {
    Fail(name, "is missing" + NearestNames(name, source_));
  }
  if (!is_type(tensor->dtype)) {
    Fail(name, "has dtype " + std::string(Traits(tensor->dtype).name) + ", expected " + types);
  }
  if (!(tensor->shape == shape)) {
    Fail(name, "has shape " + tensor->shape.ToString() + ", expected " + shape.ToString());
  }
  return *tensor;
}

ConstTensor ClaimList::Claim(std::string_view name, const Shape& shape) {
  const ConstTensor& tensor = Find(name, shape, IsReal, "a real type (F32, BF16, F16, blocks)");
  claimed_.emplace(name);
  return tensor;
}

std::vector<int32_t> ClaimList::ClaimIds(std::string_view name, const Shape& shape, int32_t limit) {
  const auto is_integer = [](DType dtype) { return dtype == DType::kI64 || dtype == DType::kI32; };
  const ConstTensor& tensor = Find(name, shape, is_integer, "integers (I64, I32)");
  claimed_.emplace(name);
  std::vector<int32_t> ids;
  ids.reserve(static_cast<size_t>(shape.elements()));
  for (int64_t i = 0; i < shape.elements(); ++i) {
    const int64_t id = tensor.dtype == DType::kI64 ? static_cast<const int64_t*>(tensor.bytes)[i]
                                                   : static_cast<const int32_t*>(tensor.bytes)[i];
    if (id < 0 || id >= limit) {
      Fail(name,
           "holds " + std::to_string(id) + " at " + std::to_string(i) + ", expected 0 to " + std::to_string(limit - 1));
    }
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

std::vector<float> ClaimList::ClaimFloats(std::string_view name, const Shape& shape) {
  const ConstTensor tensor = Claim(name, shape);
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  const ConstTensor all{
      .bytes = tensor.bytes, .dtype = tensor.dtype, .shape = {1, shape.elements()}, .scales = tensor.scales};
  ops::DequantizeColumns(Isa::kPortable, all, 0, 0, shape.elements(), values.data());
  return values;
}

void ClaimList::Ignore(const std::function<bool(std::string_view name)>& predicate) {
  for (std::string& name : source_.Names()) {
    if (predicate(name)) {
      claimed_.insert(std::move(name));
    }
  }
}

void ClaimList::RequireAllClaimed() const {
  std::vector<std::string> extra;
  for (std::string& name : source_.Names()) {
    if (!claimed_.contains(name)) {
      extra.push_back(std::move(name));
    }
  }
  if (extra.empty()) {
    return;
  }
  std::string list;
  for (size_t i = 0; i < std::min(extra.size(), kNumListed); ++i) {
    list += (i > 0 ? ", " : "") + Quoted(source_.NameInFile(extra[i]));
  }
  if (extra.size() > kNumListed) {
    list += " and " + std::to_string(extra.size() - kNumListed) + " more";
  }
  throw CheckpointError(source_.FileOf(extra.front()) + ": " + std::to_string(extra.size()) +
                        (extra.size() == 1 ? " tensor is" : " tensors are") + " not part of this model: " + list);
}

}  // namespace percept
