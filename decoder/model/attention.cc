// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/attention.h"

#include <vector>

#include "kernels/ops/attention.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/rms_norm.h"
#include "kernels/ops/rope.h"

namespace percept {
namespace {

// RMSNorm per head, then rotation by the row's position. x: [rows, heads * head_dim].
void NormAndRotate(const ForwardPass& pass, const LayerConfig& layer, const std::vector<float>& norm, MatrixView x) {
  const StepRows& rows = pass.activations.rows;
  ops::RmsNorm(pass.context, x, layer.head_dim, norm.data(), pass.eps(), x);
  ops::Rope(pass.context, x, x.cols / layer.head_dim, layer.head_dim, /*sections=*/1, rows.cos(layer.rope_idx),
            rows.sin(layer.rope_idx));
}

}  // namespace

void StoreKeysValues(const ForwardPass& pass, int layer_idx, ConstMatrixView y) {
  const LayerConfig& layer = pass.layer_config(layer_idx);
  const KeyValueWeights& weights = *pass.layer_weights(layer_idx).attention.kv;
  Activations& act = pass.activations;
  const int64_t width = int64_t{layer.num_kv_heads} * layer.head_dim;
  const MatrixView k = pass.Rows(act.k, width);  // [rows, kv_heads * head_dim]
  const MatrixView v = pass.Rows(act.v, width);  // [rows, kv_heads * head_dim]
  ops::Linear(pass.context, weights.k_proj, y, k, act.scratch);
  if (weights.v_proj.has_value()) {
    ops::Linear(pass.context, *weights.v_proj, y, v, act.scratch);
  }
  // Values without a projection of their own are the raw keys: before those are normalised and rotated in place.
  const MatrixView raw_v = weights.v_proj.has_value() ? v : k;
  ops::RmsNorm(pass.context, raw_v, layer.head_dim, /*weight=*/nullptr, pass.eps(), v);
  NormAndRotate(pass, layer, weights.k_norm, k);
  pass.Show(ForwardStage::kKey, layer_idx, k);
  pass.Show(ForwardStage::kValue, layer_idx, v);
  for (const SegmentRows& segment : act.rows.segments()) {
    segment.cache->Store(layer_idx, segment.first_position, k.Rows(segment.first_row, segment.num_rows),
                         v.Rows(segment.first_row, segment.num_rows));
  }
}

void Attention(const ForwardPass& pass, int layer_idx, ConstMatrixView y, MatrixView out) {
  const LayerConfig& layer = pass.layer_config(layer_idx);
  const AttentionWeights& weights = pass.layer_weights(layer_idx).attention;
  Activations& act = pass.activations;
  const int64_t width = int64_t{pass.config.num_heads} * layer.head_dim;
  const MatrixView q = pass.Rows(act.q, width);                // [rows, heads * head_dim]
  const MatrixView attended = pass.Rows(act.attended, width);  // [rows, heads * head_dim]
  ops::Linear(pass.context, weights.q_proj, y, q, act.scratch);
  NormAndRotate(pass, layer, weights.q_norm, q);
  pass.Show(ForwardStage::kQuery, layer_idx, q);
  for (const SegmentRows& segment : act.rows.segments()) {
    if (segment.num_rows == 0) {
      continue;
    }
    const auto key_ranges = act.rows.key_ranges(layer.kind)
                                .subspan(static_cast<size_t>(segment.first_row), static_cast<size_t>(segment.num_rows));
    ops::Attention(pass.context, q.Rows(segment.first_row, segment.num_rows), pass.config.num_heads,
                   segment.cache->View(pass.kv_layer_idx(layer_idx)), key_ranges,
                   attended.Rows(segment.first_row, segment.num_rows), act.scratch);
  }
  pass.Show(ForwardStage::kAttentionOutput, layer_idx, attended);
  ops::Linear(pass.context, weights.o_proj, attended, out, act.scratch);
}

}  // namespace percept
