// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "encoders/audio/config.h"
#include "kernels/core/tensor.h"
#include "kernels/ops/linear.h"
#include "kernels/weights/claim_list.h"

namespace percept {

struct AudioLinear {
  ConstTensor weight;      // [out, in]
  ops::ClipBounds bounds;  // infinite where the checkpoint has no clipped linears
};

struct AudioFeedForward {
  ConstTensor pre_norm;   // [width]
  AudioLinear up;         // [mlp_width, width]
  AudioLinear down;       // [width, mlp_width]
  ConstTensor post_norm;  // [width]
};

struct AudioAttention {
  ConstTensor pre_norm;       // [width]
  AudioLinear q;              // [width, width]
  AudioLinear k;              // [width, width]
  AudioLinear v;              // [width, width]
  ConstTensor relative_k;     // [width, width], projects the position table
  ConstTensor per_dim_scale;  // [head_dim], before its softplus
  AudioLinear out;            // [width, width]
  ConstTensor post_norm;      // [width]
};

struct AudioLightConv {
  ConstTensor pre_norm;   // [width]
  AudioLinear start;      // [2 * width, width], value then gate
  ConstTensor depthwise;  // [width, 1, conv_kernel]
  ConstTensor conv_norm;  // [width]
  AudioLinear end;        // [width, width]
};

struct AudioLayer {
  AudioFeedForward feed_forward1;
  AudioAttention attention;
  AudioLightConv light_conv;
  AudioFeedForward feed_forward2;
  ConstTensor out_norm;  // [width]
};

struct AudioConvStage {
  ConstTensor weight;  // [out channels, in channels, 3 (time), 3 (mel bins)]
  ConstTensor norm;    // [out channels]
};

struct AudioTowerWeights {
  std::array<AudioConvStage, 2> convs;
  ConstTensor input_projection;  // [width, subsampled_width]
  std::vector<AudioLayer> layers;
  ConstTensor output_projection;  // [projector_width, width]
  ConstTensor output_bias;        // [projector_width]
};

// Views of the tensors of an audio encoder, valid as long as the checkpoint's files are open.
struct AudioWeights {
  std::optional<AudioTowerWeights> tower;  // absent with a direct projection
  ConstTensor projector;                   // [decoder_width, projector_width]
};

// Claims every tensor of the audio encoder by its exact name and shape (spec: audio, section 13).
// Throws CheckpointError that names the tensor.
AudioWeights BindAudioWeights(const AudioConfig& config, int64_t decoder_width, ClaimList& claims);

}  // namespace percept
