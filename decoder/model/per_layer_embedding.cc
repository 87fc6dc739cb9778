// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/per_layer_embedding.h"

#include <cmath>
#include <span>

#include "kernels/ops/elementwise.h"
#include "kernels/ops/gather.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/rms_norm.h"

namespace percept {
namespace {

// Columns of layer `layer_idx`: [rows, ple_width].
MatrixView LayerPart(const ForwardPass& pass, MatrixView per_layer, int layer_idx) {
  const int64_t width = pass.config.ple_width;
  return {per_layer.data + layer_idx * width, per_layer.rows, width, per_layer.stride};
}

}  // namespace

void PerLayerEmbeddings(const ForwardPass& pass) {
  const PerLayerEmbeddingWeights& weights = *pass.weights.per_layer;
  Activations& act = pass.activations;
  const MatrixView u = pass.Rows(act.per_layer);  // [rows, layers * ple_width]

  // B = norm(W x * hidden^(-1/2)): the context part
  ops::Linear(pass.context, weights.model_projection, pass.Rows(act.x), u, act.scratch);
  ops::Scale(pass.context, u, 1.0F / std::sqrt(static_cast<float>(pass.config.hidden_size)));
  ops::RmsNorm(pass.context, u, pass.config.ple_width, weights.projection_norm.data(), pass.eps(), u);

  // A = E_ple[id] * sqrt(ple_width): the token part; U = (B + A) * 2^(-1/2)
  const int32_t pad_id = pass.config.token_ids.pad.value_or(0);
  const std::span<int32_t> ids(act.ids.data(), static_cast<size_t>(u.rows));
  for (int32_t& id : ids) {
    id = id < pass.config.ple_vocab_size ? id : pad_id;
  }
  const float token_factor = std::sqrt(static_cast<float>(pass.config.ple_width));
  const MatrixView token_part = pass.Rows(act.ple);  // [rows, ple_width]
  for (int layer_idx = 0; layer_idx < pass.config.num_layers(); ++layer_idx) {
    ops::GatherRows(pass.context, weights.table, ids, int64_t{layer_idx} * token_part.cols, token_factor, token_part);
    ops::AddScale(pass.context, LayerPart(pass, u, layer_idx), token_part, std::sqrt(0.5F));
  }
  pass.Show(ForwardStage::kPerLayerEmbedding, -1, u);
}

void LayerInput(const ForwardPass& pass, int layer_idx, ConstMatrixView x, MatrixView out) {
  const LayerInputWeights& weights = *pass.layer_weights(layer_idx).layer_input;
  Activations& act = pass.activations;
  const MatrixView u = LayerPart(pass, pass.Rows(act.per_layer), layer_idx);  // [rows, ple_width]
  const MatrixView gate = pass.Rows(act.ple);                                 // [rows, ple_width]
  ops::Linear(pass.context, weights.gate, x, gate, act.scratch);
  ops::GeluGate(pass.context, gate, u);
  ops::Linear(pass.context, weights.projection, gate, out, act.scratch);
}

}  // namespace percept
