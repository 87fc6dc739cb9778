// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "decoder/config/text_config.h"
#include "decoder/model/weights.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/linear.h"
#include "kernels/weights/claim_list.h"

namespace percept {

// Which clusters of the vocabulary are scored at all (spec text-decoder 6.2).
struct CentroidWeights {
  ops::LinearWeight centroids;    // [centroids, hidden]
  std::vector<int32_t> ordering;  // [vocab] token ids, cluster after cluster
};

// The weights of a drafter, const after load. Its table stays mapped, so the checkpoint's files must outlive this.
struct DrafterWeights {
  // Claims every tensor of a drafter by its exact name and shape (spec text-decoder 7). Throws CheckpointError, also
  // where the ordering of the vocabulary names a token twice.
  static DrafterWeights Bind(const TextConfig& config, ClaimList& claims, const KernelContext& context);

  ops::LinearWeight pre_projection;   // [hidden, 2 * backbone], embedding first
  TextWeights text;                   // layers without keys and values; lm_head is the table
  ops::LinearWeight post_projection;  // [backbone, hidden]
  std::optional<CentroidWeights> head;
};

}  // namespace percept
