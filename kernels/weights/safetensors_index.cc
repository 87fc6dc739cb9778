// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/safetensors_index.h"

#include <algorithm>
#include <set>
#include <vector>

#include "kernels/core/error.h"
#include "kernels/core/quoted.h"
#include "kernels/weights/json_section.h"

namespace percept {
namespace {

namespace fs = std::filesystem;

bool IsPlainFileName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\") == std::string::npos &&
         name.find('\0') == std::string::npos;
}

}  // namespace

ShardMap ParseSafetensorsIndex(std::string_view json, const std::string& file) {
  const nlohmann::json document = JsonSection::ParseRoot(json, file);
  const JsonSection weight_map = JsonSection(document, "", file).Section("weight_map");
  ShardMap shards;
  for (const auto& [tensor, shard] : weight_map.object().items()) {
    if (!shard.is_string() || !IsPlainFileName(shard.get<std::string>())) {
      weight_map.Fail(tensor, "is " + shard.dump() + ", not the name of a file in the folder");
    }
    shards.emplace(tensor, shard.get<std::string>());
  }
  if (shards.empty()) {
    throw CheckpointError(file + ": weight_map names no tensors");
  }
  return shards;
}

std::unique_ptr<SafetensorsSource> OpenShards(const fs::path& index_file) {
  const ShardMap shards = ParseSafetensorsIndex(ReadTextFile(index_file), index_file.string());
  std::set<std::string> names;
  for (const auto& [tensor, shard] : shards) {
    names.insert(shard);
  }
  std::vector<fs::path> files;
  for (const std::string& name : names) {
    files.push_back(index_file.parent_path() / name);
    if (!fs::exists(files.back())) {
      throw CheckpointError(index_file.string() + ": the shard " + name + " is not in the folder (" +
                            std::to_string(names.size()) + " are needed)");
    }
  }
  auto source = std::make_unique<SafetensorsSource>(files);
  const std::vector<std::string> present = source->Names();
  for (const auto& [tensor, shard] : shards) {
    const bool is_there = std::binary_search(present.begin(), present.end(), tensor) &&
                          fs::path(source->FileOf(tensor)).filename() == shard;
    if (!is_there) {
      throw CheckpointError((index_file.parent_path() / shard).string() + ": the shard lacks tensor " + Quoted(tensor) +
                            ", which " + index_file.filename().string() + " says it has");
    }
  }
  return source;
}

}  // namespace percept
