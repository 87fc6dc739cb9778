// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "kernels/weights/safetensors.h"

namespace percept {

// Which file of a folder holds which tensor, as model.safetensors.index.json states it.
using ShardMap = std::map<std::string, std::string, std::less<>>;

// Throws CheckpointError: no JSON, no weight_map of names to files, or a file outside of the folder.
ShardMap ParseSafetensorsIndex(std::string_view json, const std::string& file);

// Opens all files that an index names. Throws CheckpointError where one is missing or damaged, lacks a tensor that the
// index says it has, or where two hold the same tensor.
std::unique_ptr<SafetensorsSource> OpenShards(const std::filesystem::path& index_file);

}  // namespace percept
