// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace percept {

// How a checkpoint wants its answers drawn. The defaults hold where a checkpoint has no generation_config.json
// (spec: prompt-and-files, section 7).
struct GenerationConfig {
  bool do_sample = true;
  double temperature = 1.0;
  int top_k = 64;
  double top_p = 0.95;
  std::vector<int32_t> eos_ids;       // sorted; StopIds() adds the other sources
  std::vector<int32_t> suppress_ids;  // sorted; never picked

  bool operator==(const GenerationConfig&) const = default;
};

// Reads generation_config.json. Throws CheckpointError that names file and key.
GenerationConfig ParseGenerationConfig(std::string_view json, const std::string& file);
GenerationConfig ReadGenerationConfig(const std::filesystem::path& file);

}  // namespace percept
