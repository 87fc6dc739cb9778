// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/layer.h"

#include "decoder/model/attention.h"
#include "decoder/model/experts.h"
#include "decoder/model/feed_forward.h"
#include "decoder/model/per_layer_embedding.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/rms_norm.h"

namespace percept {

namespace {

// branch = norm(branch) + norm(experts of x): the experts stand beside the dense branch.
void AddExperts(const ForwardPass& pass, int layer_idx, MatrixView branch) {
  const ExpertWeights& weights = *pass.layer_weights(layer_idx).experts;
  const MatrixView x = pass.Rows(pass.activations.x);             // [rows, hidden]
  const MatrixView normed = pass.Rows(pass.activations.normed);   // [rows, hidden]
  const MatrixView sum = pass.Rows(pass.activations.expert_sum);  // [rows, hidden]
  ops::RmsNorm(pass.context, branch, branch.cols, weights.dense_post_norm.data(), pass.eps(), branch);
  ops::RmsNorm(pass.context, x, x.cols, weights.pre_norm.data(), pass.eps(), normed);
  Experts(pass, layer_idx, x, normed, sum);
  ops::RmsNormAdd(pass.context, sum, weights.post_norm.data(), pass.eps(), branch);
}

}  // namespace

void RunLayer(const ForwardPass& pass, int layer_idx, bool is_last_with_keys) {
  const LayerWeights& weights = pass.layer_weights(layer_idx);
  Activations& act = pass.activations;
  const int64_t hidden = pass.config.hidden_size;

  ops::RmsNorm(pass.context, pass.Rows(act.x), hidden, weights.input_norm.data(), pass.eps(), pass.Rows(act.normed));
  if (weights.attention.kv.has_value()) {
    StoreKeysValues(pass, layer_idx, pass.Rows(act.normed));
  }
  if (is_last_with_keys) {
    act.KeepOutputRows();
  }
  if (pass.num_rows() == 0) {
    return;
  }
  const MatrixView x = pass.Rows(act.x);            // [rows, hidden]
  const MatrixView normed = pass.Rows(act.normed);  // [rows, hidden]
  const MatrixView branch = pass.Rows(act.branch);  // [rows, hidden]
  Attention(pass, layer_idx, normed, branch);
  ops::RmsNormAdd(pass.context, branch, weights.post_attention_norm.data(), pass.eps(), x);

  ops::RmsNorm(pass.context, x, hidden, weights.pre_feedforward_norm.data(), pass.eps(), normed);
  FeedForward(pass, layer_idx, normed, branch);
  if (weights.experts.has_value()) {
    AddExperts(pass, layer_idx, branch);
  }
  ops::RmsNormAdd(pass.context, branch, weights.post_feedforward_norm.data(), pass.eps(), x);

  if (weights.layer_input.has_value()) {
    LayerInput(pass, layer_idx, x, branch);
    ops::RmsNormAdd(pass.context, branch, weights.layer_input->post_norm.data(), pass.eps(), x);
  }
  ops::Scale(pass.context, x, weights.layer_scalar);
  pass.Show(ForwardStage::kLayerOutput, layer_idx, x);
}

}  // namespace percept
