// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace percept {

// The media defaults of a checkpoint. The values here hold where it has no processor_config.json.
struct ProcessorConfig {
  int image_budget = 280;  // soft tokens a picture may take
  int video_budget = 70;   // soft tokens a frame may take
  int num_video_frames = 32;
  int max_audio_tokens = 750;  // of one clip
  int audio_ms_per_token = 40;

  bool operator==(const ProcessorConfig&) const = default;
};

// Reads processor_config.json. A block that is absent keeps its defaults. Throws CheckpointError that names file and
// key.
ProcessorConfig ParseProcessorConfig(std::string_view json, const std::string& file);
ProcessorConfig ReadProcessorConfig(const std::filesystem::path& file);

}  // namespace percept
