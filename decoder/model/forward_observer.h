// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/core/tensor.h"

namespace percept {

// A tensor inside a forward pass, in the order in which a pass makes them.
enum class ForwardStage {
  kDecoderInput,         // [rows, hidden] rows that enter layer 0
  kPerLayerEmbedding,    // [rows, layers * ple_width]
  kQuery,                // [rows, heads * head_dim] after norm and rotation
  kKey,                  // [rows, kv_heads * head_dim] after norm and rotation; own keys only
  kValue,                // [rows, kv_heads * head_dim] after norm; own values only
  kAttentionOutput,      // [rows, heads * head_dim] before the output projection
  kRouterLogits,         // [rows, experts]
  kRouterProbabilities,  // [rows, experts]
  kExpertWeights,        // [rows, experts per token] of the chosen ones, best first
  kExpertsOutput,        // [rows, hidden] their weighted sum, before its norm
  kLayerOutput,          // [rows, hidden] the stream after the layer, layer_scalar included
  kFinalNorm,            // [output rows, hidden]
  // Of a drafter, whose decoder input is the first projection's output.
  kDraftInput,      // [rows, 2 * backbone] embedding, then hidden state
  kDraftHidden,     // [rows, backbone] what the next token is drafted from
  kCentroidLogits,  // [rows, centroids]
  kDraftLogits,     // [rows, vocab]; with centroids [1, scored ids] row after row, best centroid first
};

// Looks into a forward pass, for comparisons with reference tensors. While one is given, all rows run through all
// layers.
class ForwardObserver {
 public:
  virtual ~ForwardObserver() = default;
  // layer_idx is -1 for what belongs to no layer. `values` is valid during the call.
  virtual void OnTensor(ForwardStage stage, int layer_idx, ConstMatrixView values) = 0;
};

}  // namespace percept
