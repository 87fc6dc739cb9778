// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "kernels/core/tensor.h"
#include "kernels/weights/gguf_names.h"

namespace percept {

// The shape in safetensors of a tensor that has `shape` in a GGUF file; nothing where a tensor of that shape cannot
// have that form.
std::optional<Shape> ShapeInForm(GgufForm form, const Shape& shape);

// Whether its values stand in the same order in both, so that they are read where they lie.
bool SameOrder(GgufForm form);

// The values in the order of safetensors. `tensor` has the shape of the GGUF file and a type without blocks, which the
// copy has too.
Buffer CopyInForm(GgufForm form, const ConstTensor& tensor);

}  // namespace percept
