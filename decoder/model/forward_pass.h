// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "decoder/config/text_config.h"
#include "decoder/model/forward_observer.h"
#include "decoder/model/weights.h"
#include "decoder/state/activations.h"
#include "kernels/core/check.h"
#include "kernels/core/tensor.h"
#include "kernels/cpu/context.h"

namespace percept {

// What every part of one forward pass reads.
struct ForwardPass {
  const KernelContext& context;
  const TextConfig& config;
  const TextWeights& weights;
  Activations& activations;
  ForwardObserver* observer = nullptr;
  // [AttentionKind] of a drafter: the layers of its target that it reads.
  std::array<int, 2> target_kv_layers = {};

  const LayerConfig& layer_config(int layer_idx) const { return config.layers[static_cast<size_t>(layer_idx)]; }
  const LayerWeights& layer_weights(int layer_idx) const { return weights.layers[static_cast<size_t>(layer_idx)]; }
  // The layer, in the caches' model, whose keys and values a layer attends to.
  int kv_layer_idx(int layer_idx) const {
    const LayerConfig& layer = layer_config(layer_idx);
    return layer.kv_layer_idx == TextConfig::kTargetKv ? target_kv_layers[static_cast<size_t>(layer.kind)]
                                                       : layer.kv_layer_idx;
  }
  float eps() const { return static_cast<float>(config.rms_norm_eps); }
  int64_t num_rows() const { return activations.rows.num_rows(); }

  // The rows at work of a matrix of activations, as far as `cols`.
  MatrixView Rows(const Matrix& matrix, int64_t cols) const {
    MatrixView view = matrix.Rows(0, num_rows());
    PERCEPT_DCHECK(cols <= view.cols);
    view.cols = cols;
    return view;
  }
  MatrixView Rows(const Matrix& matrix) const { return Rows(matrix, matrix.cols()); }

  void Show(ForwardStage stage, int layer_idx, ConstMatrixView values) const {
    if (observer != nullptr) {
      observer->OnTensor(stage, layer_idx, values);
    }
  }
};

}  // namespace percept
