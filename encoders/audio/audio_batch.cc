// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/audio_batch.h"

#include <algorithm>

#include "encoders/audio/projector.h"
#include "encoders/audio/subsample.h"
#include "kernels/core/check.h"
#include "kernels/ops/causal_conv.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/local_attention.h"
#include "kernels/ops/rms_norm.h"

namespace percept {
namespace {

MatrixView FirstColumns(const Matrix& matrix, int64_t rows, int64_t cols) {
  const MatrixView all = matrix.Rows(0, rows);
  return {all.data, rows, cols, all.stride};
}

}  // namespace

AudioBatch::AudioBatch(const AudioTower& tower, int64_t max_tokens)
    : tower_(tower), activations_(tower.config(), max_tokens) {
  clips_.reserve(static_cast<size_t>(max_tokens));
}

void AudioBatch::Reserve(int64_t max_tokens) {
  if (max_tokens > activations_.max_tokens) {
    activations_ = AudioActivations(tower_.config(), max_tokens);
    clips_.reserve(static_cast<size_t>(max_tokens));
  }
}

template <typename Body>
void AudioBatch::ForEachTile(Rows rows, Body&& body) const {
  const int64_t end = rows.first + rows.count;
  for (int64_t first = rows.first; first < end; first += activations_.tile_rows) {
    body(Rows{first, std::min(activations_.tile_rows, end - first)});
  }
}

template <typename Body>
void AudioBatch::ForEachClip(Rows tile, int64_t max_past, Body&& body) const {
  for (const Rows& clip : clips_) {
    const int64_t begin = std::max(tile.first, clip.first);
    const int64_t end = std::min(tile.first + tile.count, clip.first + clip.count);
    if (begin < end) {
      body(Rows{begin, end - begin}, std::min(max_past, begin - clip.first));
    }
  }
}

void AudioBatch::Begin(std::span<const ConstMatrixView> clips) {
  clips_.clear();
  num_rows_ = 0;
  for (const ConstMatrixView& log_mel : clips) {
    const Rows rows{num_rows_, AudioTower::NumSoftTokensOfFrames(log_mel.rows)};
    PERCEPT_CHECK(rows.count > 0 && rows.first + rows.count <= activations_.max_tokens);
    clips_.push_back(rows);
    num_rows_ += rows.count;
    ForEachTile(rows, [&](Rows tile) {
      const MatrixView subsampled = activations_.subsampled.Rows(0, tile.count);  // [t, S]
      Subsample(tower_, log_mel, tile.first - rows.first, subsampled, activations_.scratch);
      Linear(tower_.ends().input_projection, subsampled, ResidualOf(tile));
    });
  }
}

// No row sees a later one: a tile goes through the whole layer before the next.
void AudioBatch::RunLayer(int64_t layer_idx) {
  const AudioLayer& layer = tower_.layer(layer_idx);
  ForEachTile({0, num_rows_}, [&](Rows tile) {
    FeedForward(layer.feed_forward1, tile);
    Attend(layer.attention, tile);
    Convolve(layer.light_conv, tile);
    FeedForward(layer.feed_forward2, tile);
    Norm(ResidualOf(tile), layer.out_norm, ResidualOf(tile));
  });
}

void AudioBatch::FeedForward(const AudioFeedForward& weights, Rows tile) {
  const MatrixView x = ResidualOf(tile);                                                               // [t, D]
  const MatrixView branch = activations_.branch.Rows(0, tile.count);                                   // [t, D]
  const MatrixView hidden = FirstColumns(activations_.hidden, tile.count, weights.up.out_features());  // [t, F]
  NormedProduct(x, weights.pre_norm, weights.up, hidden);
  ops::SigmoidGate(tower_.context(), hidden, hidden, hidden);
  Linear(weights.down, hidden, branch);
  NormAdd(branch, weights.post_norm, x);
}

void AudioBatch::Attend(const AudioAttention& weights, Rows tile) {
  const MatrixView x = ResidualOf(tile);                                // [t, D]
  const MatrixView normed = activations_.normed.Rows(0, tile.count);    // [t, D]
  const MatrixView queries = activations_.queries.Rows(0, tile.count);  // [t, D]
  const MatrixView branch = activations_.branch.Rows(0, tile.count);    // [t, D]
  Norm(x, weights.pre_norm, normed);
  Linear(weights.q, normed, queries);
  Linear(weights.k, normed, activations_.keys.Rows(tile.first, tile.count));
  Linear(weights.v, normed, activations_.values.Rows(tile.first, tile.count));
  const ops::LocalAttentionForm form{.heads = tower_.config().num_heads,
                                     .query_scale = weights.query_scale.data(),
                                     .relative_keys = weights.relative_keys.view(),
                                     .soft_cap = tower_.config().logit_cap};
  const MatrixView attended = normed;
  ForEachClip(tile, form.relative_keys.rows - 1, [&](Rows rows, int64_t num_past) {
    const Rows seen{rows.first - num_past, rows.count + num_past};
    ops::LocalAttention(tower_.context(), form, queries.Rows(rows.first - tile.first, rows.count),
                        activations_.keys.Rows(seen.first, seen.count),
                        activations_.values.Rows(seen.first, seen.count),
                        attended.Rows(rows.first - tile.first, rows.count));
  });
  Linear(weights.out, attended, branch);
  NormAdd(branch, weights.post_norm, x);
}

void AudioBatch::Convolve(const AudioLightConv& weights, Rows tile) {
  const MatrixView x = ResidualOf(tile);                                                                // [t, D]
  const MatrixView normed = activations_.normed.Rows(0, tile.count);                                    // [t, D]
  const MatrixView branch = activations_.branch.Rows(0, tile.count);                                    // [t, D]
  const MatrixView both = FirstColumns(activations_.hidden, tile.count, weights.start.out_features());  // [t, 2 D]
  NormedProduct(x, weights.pre_norm, weights.start, both);
  const MatrixView value{both.data, both.rows, x.cols, both.stride};
  const MatrixView gate{both.data + x.cols, both.rows, x.cols, both.stride};
  ops::SigmoidGate(tower_.context(), value, gate, activations_.gated.Rows(tile.first, tile.count));
  ForEachClip(tile, weights.taps.rows() - 1, [&](Rows rows, int64_t num_past) {
    ops::CausalConv(tower_.context(), activations_.gated.Rows(rows.first - num_past, rows.count + num_past),
                    weights.taps.view(), normed.Rows(rows.first - tile.first, rows.count));
  });
  Norm(normed, weights.conv_norm, normed);
  ops::SigmoidGate(tower_.context(), normed, normed, normed);
  Linear(weights.end, normed, branch);
  ops::AddScale(tower_.context(), x, branch, 1.0F);
}

void AudioBatch::Finish(std::span<const MatrixView> soft_tokens) {
  PERCEPT_CHECK(soft_tokens.size() == clips_.size());
  for (size_t i = 0; i < clips_.size(); ++i) {
    PERCEPT_CHECK(soft_tokens[i].rows == clips_[i].count && soft_tokens[i].cols == tower_.decoder_hidden());
    ForEachTile(clips_[i], [&](Rows tile) {
      const MatrixView output = activations_.output.Rows(0, tile.count);  // [t, P]
      ProjectOutput(tower_, ResidualOf(tile), output, activations_.scratch);
      Project(tower_, output, soft_tokens[i].Rows(tile.first - clips_[i].first, tile.count), activations_.scratch);
    });
  }
}

ConstMatrixView AudioBatch::hidden(int64_t clip) const { return ResidualOf(clips_.at(static_cast<size_t>(clip))); }

void AudioBatch::NormedProduct(ConstMatrixView x, const std::vector<float>& norm, const ops::LinearWeight& weight,
                               MatrixView y) {
  const MatrixView normed = activations_.normed.Rows(0, x.rows);  // [t, D]
  Norm(x, norm, normed);
  Linear(weight, normed, y);
}

void AudioBatch::Linear(const ops::LinearWeight& weight, ConstMatrixView x, MatrixView y) {
  ops::Linear(tower_.context(), weight, x, y, activations_.scratch);
}

void AudioBatch::Norm(ConstMatrixView x, const std::vector<float>& weight, MatrixView y) const {
  const auto eps = static_cast<float>(tower_.config().rms_norm_eps);
  ops::RmsNorm(tower_.context(), x, x.cols, weight.data(), eps, y);
}

void AudioBatch::NormAdd(ConstMatrixView x, const std::vector<float>& weight, MatrixView residual) const {
  ops::RmsNormAdd(tower_.context(), x, weight.data(), static_cast<float>(tower_.config().rms_norm_eps), residual);
}

}  // namespace percept
