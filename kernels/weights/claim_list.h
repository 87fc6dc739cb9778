// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/weights/tensor_source.h"

namespace percept {

// Hands out tensors by exact name and shape and remembers which were taken, so that a tensor too few and a tensor too
// many are both errors. Used by one thread while a checkpoint is opened.
class ClaimList {
 public:
  explicit ClaimList(const TensorSource& source) : source_(source) {}

  const TensorSource& source() const { return source_; }

  // Throws CheckpointError naming file, tensor, and what differs: missing (with the nearest names that exist), another
  // shape, or a dtype that no op reads as real numbers.
  ConstTensor Claim(std::string_view name, const Shape& shape);
  // The file that holds, or should hold, the tensor.
  std::string FileOf(std::string_view name) const { return source_.FileOf(name); }
  bool Has(std::string_view name) const { return source_.Find(name) != nullptr; }
  // A vector or scalar (norm weights, bounds) as floats.
  std::vector<float> ClaimFloats(std::string_view name, const Shape& shape);
  // A table of token ids, stored as I64 or I32. Throws as Claim, and for a value outside [0, limit).
  std::vector<int32_t> ClaimIds(std::string_view name, const Shape& shape, int32_t limit);
  // Marks every tensor that satisfies the predicate as known and unused (spec: tensors to ignore).
  void Ignore(const std::function<bool(std::string_view name)>& predicate);
  void ReleasePages(std::string_view name) const { source_.ReleasePages(name); }

  // Throws CheckpointError that lists tensors nobody claimed.
  void RequireAllClaimed() const;

 private:
  const ConstTensor& Find(std::string_view name, const Shape& shape, bool (*is_type)(DType), const char* types) const;
  [[noreturn]] void Fail(std::string_view name, const std::string& reason) const;

  const TensorSource& source_;
  std::set<std::string, std::less<>> claimed_;
};

}  // namespace percept
