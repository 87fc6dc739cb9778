// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

#include "encoders/vision/config.h"
#include "kernels/weights/gguf.h"

namespace percept {

// The vision encoder of an mmproj file, or of a text file with towers, one of those of `source`; nothing where it has
// none (spec: vision, section 7.3). What no key says is read from the tensors: the rows of the position table, and
// clipped linears and the standardization where a tower has tensors for them. Throws CheckpointError naming file and
// key or tensor.
std::optional<VisionConfig> VisionConfigFromGguf(const GgufSource& source, size_t file_idx);

}  // namespace percept
