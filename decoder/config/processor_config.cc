// SPDX-License-Identifier: Apache-2.0
#include "decoder/config/processor_config.h"

#include "kernels/weights/json_section.h"

namespace percept {
namespace {

constexpr int kMaxTokens = 1 << 20;

}  // namespace

ProcessorConfig ParseProcessorConfig(std::string_view json, const std::string& file) {
  const nlohmann::json root = JsonSection::ParseRoot(json, file);
  const JsonSection section(root, "", file);
  ProcessorConfig config;
  if (section.Has("image_processor")) {
    config.image_budget = section.Section("image_processor").Int("max_soft_tokens", 1, kMaxTokens);
  }
  if (section.Has("video_processor")) {
    const JsonSection video = section.Section("video_processor");
    config.video_budget = video.Int("max_soft_tokens", 1, kMaxTokens);
    config.num_video_frames = video.OptionalInt("num_frames", 1, kMaxTokens).value_or(config.num_video_frames);
  }
  config.max_audio_tokens = section.OptionalInt("audio_seq_length", 1, kMaxTokens).value_or(config.max_audio_tokens);
  config.audio_ms_per_token =
      section.OptionalInt("audio_ms_per_token", 1, kMaxTokens).value_or(config.audio_ms_per_token);
  return config;
}

ProcessorConfig ReadProcessorConfig(const std::filesystem::path& file) {
  return ParseProcessorConfig(ReadTextFile(file), file.string());
}

}  // namespace percept
