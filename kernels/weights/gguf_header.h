// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/dtype.h"
#include "kernels/weights/gguf_metadata.h"

namespace percept {

// One tensor of a GGUF file, its dimensions in our order: the last one is contiguous.
struct GgufTensor {
  std::string name;
  std::string_view type;       // "Q4_0"
  std::optional<DType> dtype;  // nothing where no op reads the type
  std::vector<int64_t> shape;
  size_t begin = 0;  // bytes from the start of the file
  size_t size_bytes = 0;
};

struct GgufHeader {
  GgufMetadata metadata;
  std::vector<GgufTensor> tensors;  // in the order of the file
};

// Parses everything before the data of a GGUF file of version 3, and checks it against the file's size before anything
// is allocated for it (spec: prompt-and-files, section 12): counts, lengths and types are possible, keys and names are
// unique, tensors are whole blocks, aligned, apart from each other and inside the file. Throws CheckpointError naming
// the file, the key or tensor, and the reason. Strings are views of `bytes`.
GgufHeader ParseGgufHeader(const std::filesystem::path& file, std::span<const std::byte> bytes);

}  // namespace percept
