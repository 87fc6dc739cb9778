// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "encoders/vision/cells.h"
#include "encoders/vision/config.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/linear.h"
#include "kernels/weights/claim_list.h"

namespace percept {

// D = config.width, A = num_heads * head_dim, F = mlp_width, P = position_rows, H = hidden width of the decoder.
struct VisionLayerWeights {
  std::vector<float> input_norm;           // [D]
  ops::LinearWeight q_proj;                // [A, D]
  ops::LinearWeight k_proj;                // [A, D]
  ops::LinearWeight v_proj;                // [A, D]
  ops::LinearWeight o_proj;                // [D, A]
  std::vector<float> q_norm;               // [head_dim]
  std::vector<float> k_norm;               // [head_dim]
  std::vector<float> post_attention_norm;  // [D]
  std::vector<float> pre_mlp_norm;         // [D]
  ops::LinearWeight gate_proj;             // [F, D]
  ops::LinearWeight up_proj;               // [F, D]
  ops::LinearWeight down_proj;             // [D, F]
  std::vector<float> post_mlp_norm;        // [D]
};

struct VisionWeights {
  // Of a direct projection, which has nothing else but the projector.
  std::optional<CellWeights> cells;

  ops::LinearWeight patch_proj;  // [D, 768]
  ConstTensor column_positions;  // [P, D], mapped
  ConstTensor row_positions;     // [P, D], mapped
  std::vector<VisionLayerWeights> layers;
  std::vector<float> std_bias;   // [D], empty where soft tokens are not standardized
  std::vector<float> std_scale;  // [D], likewise
  ops::LinearWeight projector;   // [H, D]
};

// Claims and packs them (spec vision 7.1 and 7.2). Throws CheckpointError: a tensor missing or of another shape, or
// clip bounds that leave no value between them.
VisionWeights BindVisionWeights(const VisionConfig& config, int64_t decoder_hidden, ClaimList& claims,
                                const KernelContext& context);

}  // namespace percept
