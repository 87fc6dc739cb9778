// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "decoder/config/text_config.h"
#include "decoder/state/activations.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"

namespace percept {

// The scratch of a drafter's step, sized once for the most rows, each of another sequence, that it may bring. One step
// at a time uses it.
struct DraftActivations {
  // config: the drafter's. Throws ArgumentError where a limit is not positive.
  DraftActivations(const TextConfig& config, int64_t max_rows, int64_t max_positions);
  // Bytes of all of it, without taking them.
  static int64_t BytesNeeded(const TextConfig& config, int64_t max_rows, int64_t max_positions);

  // [scored, hidden] of the table, without gaps between rows.
  MatrixView ScoredRows(int64_t hidden) const {
    return {reinterpret_cast<float*>(scored_rows.get()), static_cast<int64_t>(scored.size()), hidden, hidden};
  }

  Activations text;              // of the layers; its logits are those of a plain head
  std::vector<KvCache*> caches;  // [rows]
  std::vector<int32_t> ids;      // [rows] the newest tokens
  Matrix input;                  // [rows, 2 * backbone]
  Matrix hidden;                 // [rows, backbone] for the next step
  Matrix centroid_logits;        // [rows, centroids]
  std::vector<int32_t> order;    // [centroids] best first, as far as they are selected
  std::vector<int32_t> scored;   // [ids of the selected centroids]
  Buffer scored_rows;            // ScoredRows
  Matrix scored_logits;          // [1, scored]
  Arena scratch;                 // of the ops around the layers
};

}  // namespace percept
