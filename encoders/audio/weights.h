// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "encoders/audio/config.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/linear.h"
#include "kernels/weights/claim_list.h"

namespace percept {

// D = config.width, F = mlp_width, S = subsampled_width, P = projector_width, H = hidden width of the decoder.
struct AudioFeedForward {
  std::vector<float> pre_norm;   // [D]
  ops::LinearWeight up;          // [F, D]
  ops::LinearWeight down;        // [D, F]
  std::vector<float> post_norm;  // [D], times the residual weight
};

struct AudioAttention {
  std::vector<float> pre_norm;     // [D]
  ops::LinearWeight q;             // [D, D]
  ops::LinearWeight k;             // [D, D]
  ops::LinearWeight v;             // [D, D]
  std::vector<float> query_scale;  // [head_dim], the constants of queries and keys in it
  Matrix relative_keys;            // [attention_window, D], of a key so many rows back, in the scale of keys
  ops::LinearWeight out;           // [D, D]
  std::vector<float> post_norm;    // [D]
};

struct AudioLightConv {
  std::vector<float> pre_norm;   // [D]
  ops::LinearWeight start;       // [2 * D, D], value then gate
  Matrix taps;                   // [conv_kernel, D], oldest first
  std::vector<float> conv_norm;  // [D]
  ops::LinearWeight end;         // [D, D]
};

struct AudioLayer {
  AudioFeedForward feed_forward1;
  AudioAttention attention;
  AudioLightConv light_conv;
  AudioFeedForward feed_forward2;
  std::vector<float> out_norm;  // [D]
};

struct AudioConvStage {
  ops::LinearWeight kernel;  // [out channels, 3 (time) * 3 (mel bins) * in channels]
  std::vector<float> norm;   // [out channels]
};

// Of a tower: what stands before its first layer and behind its last.
struct AudioEnds {
  std::array<AudioConvStage, 2> convs;
  ops::LinearWeight input_projection;   // [D, S]
  ops::LinearWeight output_projection;  // [P, D]
  std::vector<float> output_bias;       // [P]
  ops::LinearWeight projector;          // [H, P]
};

// Claims every tensor of the audio encoder by its exact name and shape (spec: audio, section 13) and reads no matrix.
// Throws CheckpointError that names the tensor: missing, of another shape or type, or clip bounds that leave no value
// between them.
void ClaimAudioWeights(const AudioConfig& config, int64_t decoder_width, ClaimList& claims);

// Parts of what ClaimAudioWeights has claimed, from the same source. They pack the matrices and release their file
// pages. Throw as it does.
AudioEnds BindAudioEnds(const AudioConfig& config, int64_t decoder_width, ClaimList& claims,
                        const KernelContext& context);
AudioLayer BindAudioLayer(const AudioConfig& config, int64_t layer, ClaimList& claims, const KernelContext& context);
ops::LinearWeight BindAudioProjector(const AudioConfig& config, int64_t decoder_width, ClaimList& claims,
                                     const KernelContext& context);

}  // namespace percept
