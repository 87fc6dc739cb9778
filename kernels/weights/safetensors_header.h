// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/dtype.h"

namespace percept {

// One tensor of a safetensors header. Any legal dtype and rank; what this program computes with is narrower.
struct TensorEntry {
  std::string name;
  std::string dtype;           // spelling of the file, "BF16"
  std::vector<int64_t> shape;  // empty: a scalar
  int64_t begin = 0;           // bytes from the start of the data
  int64_t end = 0;             // exclusive

  int64_t size_bytes() const { return end - begin; }
  int64_t elements() const;
  // The dtype as ops know it; nothing where no op reads it.
  std::optional<DType> op_dtype() const;
};

// Parses the JSON header and checks it against the bytes of data that follow it (spec prompt-and-files 10): names are
// unique, dtypes are known, shapes and offsets agree and do not overflow, the data have neither hole nor overlap and
// end with the file. Entries come back in the order of their data. Throws CheckpointError naming file, tensor, reason.
std::vector<TensorEntry> ParseSafetensorsHeader(const std::filesystem::path& file, std::string_view json,
                                                int64_t data_bytes);

}  // namespace percept
