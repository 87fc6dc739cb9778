// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/drafter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "decoder/config/drafter_rules.h"
#include "decoder/model/forward_pass.h"
#include "decoder/model/layer.h"
#include "kernels/core/check.h"
#include "kernels/ops/gather.h"
#include "kernels/ops/rms_norm.h"

namespace percept {
namespace {

std::span<const float> RowOf(ConstMatrixView matrix, int64_t row) {
  return {matrix.row(row), static_cast<size_t>(matrix.cols)};
}

// The place of the largest, of equal ones the one with the lowest id; -1 where none is a number. `id_at(place)` ascends
// or not.
template <typename IdAt>
int32_t Likeliest(std::span<const float> logits, IdAt id_at) {
  int32_t best_id = Drafter::kNoToken;
  float best = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const bool is_better =
        best_id < 0 ? !std::isnan(logits[i]) : logits[i] > best || (logits[i] == best && id_at(i) < best_id);
    if (is_better) {
      best = logits[i];
      best_id = id_at(i);
    }
  }
  return best_id;
}

}  // namespace

Drafter::Drafter(const TextConfig& config, DrafterWeights weights, const TextDecoder& target)
    : config_(config),
      weights_(std::move(weights)),
      target_(target),
      target_kv_layers_(LayersToDraftFrom(target.config())) {
  PERCEPT_CHECK(config_.drafter.has_value() && config_.drafter->backbone_hidden_size == target.config().hidden_size);
}

void Drafter::Step(std::span<DraftRow> rows, DraftActivations& act, ForwardObserver* observer) const {
  const ForwardPass pass{target_.context(), config_, weights_.text, act.text, observer, target_kv_layers_};
  act.caches.clear();
  for (const DraftRow& row : rows) {
    act.caches.push_back(row.cache);
  }
  act.text.rows.PlanBehind(act.caches);
  JoinInputs(rows, act);
  const auto num_rows = static_cast<int64_t>(rows.size());
  const MatrixView input = act.input.Rows(0, num_rows);
  const MatrixView x = pass.Rows(act.text.x);       // [rows, hidden]
  const MatrixView h = pass.Rows(act.text.normed);  // [rows, hidden]
  const MatrixView hidden = act.hidden.Rows(0, num_rows);
  pass.Show(ForwardStage::kDraftInput, -1, input);
  ops::Linear(pass.context, weights_.pre_projection, input, x, act.scratch);
  pass.Show(ForwardStage::kDecoderInput, -1, x);
  for (int layer_idx = 0; layer_idx < config_.num_layers(); ++layer_idx) {
    RunLayer(pass, layer_idx, /*is_last_with_keys=*/false);
  }
  ops::RmsNorm(pass.context, x, x.cols, weights_.text.final_norm.data(), pass.eps(), h);
  pass.Show(ForwardStage::kFinalNorm, -1, h);
  ops::Linear(pass.context, weights_.post_projection, h, hidden, act.scratch);
  pass.Show(ForwardStage::kDraftHidden, -1, hidden);
  for (int64_t row = 0; row < num_rows; ++row) {
    std::copy_n(hidden.row(row), hidden.cols, rows[static_cast<size_t>(row)].hidden.data());
  }
  if (weights_.head.has_value()) {
    PickFromClusters(pass, h, rows, act);
  } else {
    PickFromAll(pass, h, rows, act);
  }
}

// The target's embedding with its factor, then the hidden state as it is.
void Drafter::JoinInputs(std::span<const DraftRow> rows, DraftActivations& act) const {
  const auto num_rows = static_cast<int64_t>(rows.size());
  const int64_t backbone = act.hidden.cols();
  MatrixView embedding = act.input.Rows(0, num_rows);
  embedding.cols = backbone;
  for (size_t i = 0; i < rows.size(); ++i) {
    PERCEPT_CHECK(static_cast<int64_t>(rows[i].hidden.size()) == backbone);
    act.ids[i] = rows[i].id;
    std::copy_n(rows[i].hidden.data(), backbone, act.input.view().row(static_cast<int64_t>(i)) + backbone);
  }
  ops::GatherRows(target_.context(), target_.weights().embed_tokens, {act.ids.data(), rows.size()}, 0,
                  target_.weights().embedding_scale, embedding);
}

void Drafter::PickFromAll(const ForwardPass& pass, ConstMatrixView h, std::span<DraftRow> rows,
                          DraftActivations& act) const {
  const MatrixView logits = pass.Rows(act.text.logits);  // [rows, vocab]
  ops::Linear(pass.context, weights_.text.lm_head, h, logits, act.scratch);
  pass.Show(ForwardStage::kDraftLogits, -1, logits);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].id = Likeliest(RowOf(logits, static_cast<int64_t>(i)), [](size_t id) { return static_cast<int32_t>(id); });
  }
}

void Drafter::PickFromClusters(const ForwardPass& pass, ConstMatrixView h, std::span<DraftRow> rows,
                               DraftActivations& act) const {
  const MatrixView centroid_logits = act.centroid_logits.Rows(0, h.rows);  // [rows, centroids]
  ops::Linear(pass.context, weights_.head->centroids, h, centroid_logits, act.scratch);
  pass.Show(ForwardStage::kCentroidLogits, -1, centroid_logits);
  const MatrixView table = act.ScoredRows(config_.hidden_size);  // [scored, hidden]
  const ConstTensor scored_rows{.bytes = table.data, .dtype = DType::kF32, .shape = {table.rows, table.cols}};
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    CollectClusters(RowOf(centroid_logits, row), act);
    ops::GatherRows(pass.context, weights_.text.embed_tokens, act.scored, 0, /*factor=*/1, table);
    ops::Linear(pass.context, ops::LinearWeight::Mapped(scored_rows), h.Rows(row, 1), act.scored_logits.view(),
                act.scratch);
    pass.Show(ForwardStage::kDraftLogits, -1, act.scored_logits.view());
    rows[i].id = Likeliest(RowOf(act.scored_logits.view(), 0), [&act](size_t place) { return act.scored[place]; });
  }
}

// The ids of the best centroids' clusters, of equal ones the first.
void Drafter::CollectClusters(std::span<const float> centroid_logits, DraftActivations& act) const {
  const size_t num_selected = static_cast<size_t>(config_.drafter->num_selected_centroids);
  const size_t cluster_size = act.scored.size() / num_selected;
  std::iota(act.order.begin(), act.order.end(), 0);
  const auto logit_of = [&](int32_t centroid) {
    const float logit = centroid_logits[static_cast<size_t>(centroid)];
    return logit == logit ? logit : -std::numeric_limits<float>::infinity();
  };
  const auto is_better = [&](int32_t a, int32_t b) {
    const float logit_a = logit_of(a);
    const float logit_b = logit_of(b);
    return logit_a > logit_b || (logit_a == logit_b && a < b);
  };
  std::partial_sort(act.order.begin(), act.order.begin() + static_cast<std::ptrdiff_t>(num_selected), act.order.end(),
                    is_better);
  for (size_t i = 0; i < num_selected; ++i) {
    const auto first =
        weights_.head->ordering.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(act.order[i]) * cluster_size);
    std::copy_n(first, cluster_size, act.scored.begin() + static_cast<std::ptrdiff_t>(i * cluster_size));
  }
}

}  // namespace percept
