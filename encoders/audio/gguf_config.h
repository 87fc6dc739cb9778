// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>

#include "encoders/audio/config.h"
#include "kernels/weights/gguf.h"

namespace percept {

// The audio encoder of an mmproj file, or of a text file with towers, one of those of `source`; nothing where it has
// none (spec: audio, section 14).
// The sizes that no key says are those of the tensors; the epsilon of the norms is built in, for some files state a
// wrong one. Throws CheckpointError naming file and key or tensor.
std::optional<AudioConfig> AudioConfigFromGguf(const GgufSource& source, size_t file_idx);

}  // namespace percept
