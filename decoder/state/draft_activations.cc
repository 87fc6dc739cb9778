// SPDX-License-Identifier: Apache-2.0
#include "decoder/state/draft_activations.h"

#include <algorithm>

#include "kernels/ops/linear.h"

namespace percept {
namespace {

// A head with centroids leaves the logits of the whole vocabulary alone.
StepLimits LimitsOf(const TextConfig& config, int64_t max_rows, int64_t max_positions) {
  return {.max_rows = max_rows,
          .max_segments = max_rows,
          .max_output_rows = config.drafter->num_centroids > 0 ? 1 : max_rows,
          .max_positions = max_positions};
}

int64_t NumScored(const TextConfig& config) {
  const DrafterConfig& drafter = *config.drafter;
  return drafter.num_centroids > 0 ? int64_t{config.vocab_size} / drafter.num_centroids * drafter.num_selected_centroids
                                   : 0;
}

size_t ScoredBytes(const TextConfig& config) {
  return static_cast<size_t>(NumScored(config) * config.hidden_size) * sizeof(float);
}

size_t ScratchBytes(const TextConfig& config, int64_t max_rows) {
  const int64_t hidden = config.hidden_size;
  const int64_t backbone = config.drafter->backbone_hidden_size;
  const int64_t widest_head = std::max({int64_t{config.drafter->num_centroids}, backbone, int64_t{config.vocab_size}});
  return std::max(ops::LinearScratchBytes(max_rows, 2 * backbone, hidden),
                  ops::LinearScratchBytes(max_rows, hidden, widest_head));
}

}  // namespace

DraftActivations::DraftActivations(const TextConfig& config, int64_t max_rows, int64_t max_positions)
    : text(config, LimitsOf(config, max_rows, max_positions)),
      ids(static_cast<size_t>(max_rows)),
      input(max_rows, 2 * int64_t{config.drafter->backbone_hidden_size}),
      hidden(max_rows, config.drafter->backbone_hidden_size),
      centroid_logits(max_rows, config.drafter->num_centroids),
      order(static_cast<size_t>(config.drafter->num_centroids)),
      scored(static_cast<size_t>(NumScored(config))),
      scored_rows(ScoredBytes(config)),
      scored_logits(1, NumScored(config)),
      scratch(ScratchBytes(config, max_rows)) {
  caches.reserve(static_cast<size_t>(max_rows));
}

int64_t DraftActivations::BytesNeeded(const TextConfig& config, int64_t max_rows, int64_t max_positions) {
  const auto matrix_bytes = [](int64_t rows, int64_t cols) {
    return static_cast<int64_t>(Arena::MatrixBytes(rows, cols));
  };
  const int64_t backbone = config.drafter->backbone_hidden_size;
  return Activations::BytesNeeded(config, LimitsOf(config, max_rows, max_positions)) +
         matrix_bytes(max_rows, 2 * backbone) + matrix_bytes(max_rows, backbone) +
         matrix_bytes(max_rows, config.drafter->num_centroids) + static_cast<int64_t>(ScoredBytes(config)) +
         matrix_bytes(1, NumScored(config)) + static_cast<int64_t>(ScratchBytes(config, max_rows));
}

}  // namespace percept
