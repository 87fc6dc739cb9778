// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/feed_forward.h"

#include "kernels/ops/elementwise.h"
#include "kernels/ops/linear.h"

namespace percept {

void FeedForward(const ForwardPass& pass, int layer_idx, ConstMatrixView y, MatrixView out) {
  const FeedForwardWeights& weights = pass.layer_weights(layer_idx).feed_forward;
  Activations& act = pass.activations;
  const int64_t width = pass.layer_config(layer_idx).mlp_width;
  const MatrixView gate = pass.Rows(act.gate, width);  // [rows, mlp_width]
  const MatrixView up = pass.Rows(act.up, width);      // [rows, mlp_width]
  ops::Linear(pass.context, weights.gate_proj, y, gate, act.scratch);
  ops::Linear(pass.context, weights.up_proj, y, up, act.scratch);
  ops::GeluGate(pass.context, gate, up);
  ops::Linear(pass.context, weights.down_proj, gate, out, act.scratch);
}

}  // namespace percept
