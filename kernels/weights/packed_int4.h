// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/weights/tensor_source.h"

namespace percept {

inline constexpr std::string_view kPackedCodes = ".weight_packed";
inline constexpr std::string_view kPackedShape = ".weight_shape";

// The tensors of a checkpoint that compressed-tensors has packed (pack-quantized, 4 bits, symmetric, groups of 32;
// spec: prompt-and-files, section 11). The codes, scales and shape of a linear layer X are one tensor here, X.weight of
// kInt4; all others are as the files have them. Safe to use from several threads.
class PackedInt4Source final : public TensorSource {
 public:
  // Throws CheckpointError where the parts of a layer are missing or do not fit together.
  explicit PackedInt4Source(std::unique_ptr<TensorSource> files);

  const ConstTensor* Find(std::string_view name) const override;
  std::vector<std::string> Names() const override;
  std::string FileOf(std::string_view name) const override;
  void ReleasePages(std::string_view name) const override;

 private:
  ConstTensor Joined(const std::string& layer) const;

  std::unique_ptr<TensorSource> files_;
  std::map<std::string, ConstTensor, std::less<>> joined_;  // by X.weight
};

}  // namespace percept
