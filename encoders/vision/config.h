// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace percept {

// How pictures become soft tokens: through a tower of attention layers, or by a projection of the pixels of each cell.
enum class VisionForm { kTower, kDirectProjection };

// What a vision encoder is made of (spec: vision, section 1.2). It names mechanisms and sizes, never a model. Only the
// tower has what stands below num_layers.
struct VisionConfig {
  VisionForm form = VisionForm::kTower;
  int width = 0;          // of the rows that the projector reads
  int position_rows = 0;  // of the position table, per axis: cells of a direct projection, else patches
  double rms_norm_eps = 0;
  int num_layers = 0;
  int mlp_width = 0;
  int num_heads = 0;  // queries, keys and values alike
  int head_dim = 0;   // a multiple of 4: half the lanes turn by x, half by y
  double rope_theta = 0;
  bool clipped_linears = false;  // linears bound their inputs and outputs (spec 3.2)
  bool standardize = false;      // soft tokens are shifted and scaled per channel (spec 3.7)

  bool operator==(const VisionConfig&) const = default;
};

// Reads the vision_config of a config.json; nothing where it is absent or null. `file` is the name in messages.
// Throws CheckpointError that names file and key.
std::optional<VisionConfig> ParseVisionConfig(std::string_view json, const std::string& file);
std::optional<VisionConfig> ReadVisionConfig(const std::filesystem::path& file);

}  // namespace percept
