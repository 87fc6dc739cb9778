// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/tensor.h"

namespace percept {

// The tensors of a checkpoint by name: read-only views of memory-mapped files, valid as long as the source lives.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  // Null when there is no such tensor. Throws CheckpointError where there is one in a form that no op reads.
  virtual const ConstTensor* Find(std::string_view name) const = 0;
  virtual std::vector<std::string> Names() const = 0;  // sorted
  // The file that holds (or would have to hold) the tensor, for messages.
  virtual std::string FileOf(std::string_view name) const = 0;
  // What its file calls a tensor that there is, for messages.
  virtual std::string NameInFile(std::string_view name) const { return std::string(name); }
  // The tensor's bytes will not be read again soon (it was repacked): gives its file pages back to the system. A tensor
  // that its file has in another order or type may have been copied: views of the copy end here.
  virtual void ReleasePages(std::string_view name) const = 0;
};

}  // namespace percept
