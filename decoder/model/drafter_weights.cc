// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/drafter_weights.h"

#include <string>

#include "kernels/core/error.h"

namespace percept {
namespace {

ops::LinearWeight BindLinear(const std::string& name, int64_t out_features, int64_t in_features, ClaimList& claims,
                             const KernelContext& context) {
  ops::LinearWeight weight = ops::LinearWeight::Packed(context, claims.Claim(name, {out_features, in_features}));
  claims.ReleasePages(name);
  return weight;
}

std::vector<int32_t> BindOrdering(const TextConfig& config, ClaimList& claims) {
  const std::string name = "masked_embedding.token_ordering";
  std::vector<int32_t> ordering = claims.ClaimIds(name, {config.vocab_size}, config.vocab_size);
  std::vector<bool> seen(ordering.size());
  for (const int32_t id : ordering) {
    if (seen[static_cast<size_t>(id)]) {
      throw CheckpointError(claims.FileOf(name) + ": tensor '" + name + "' names token " + std::to_string(id) +
                            " twice");
    }
    seen[static_cast<size_t>(id)] = true;
  }
  return ordering;
}

}  // namespace

DrafterWeights DrafterWeights::Bind(const TextConfig& config, ClaimList& claims, const KernelContext& context) {
  const DrafterConfig& drafter = *config.drafter;
  const int64_t backbone = drafter.backbone_hidden_size;
  DrafterWeights weights;
  weights.pre_projection = BindLinear("pre_projection.weight", config.hidden_size, 2 * backbone, claims, context);
  weights.text = TextWeights::Bind(config, claims, context);
  weights.post_projection = BindLinear("post_projection.weight", backbone, config.hidden_size, claims, context);
  if (drafter.num_centroids > 0) {
    weights.head = CentroidWeights{.centroids = BindLinear("masked_embedding.centroids.weight", drafter.num_centroids,
                                                           config.hidden_size, claims, context),
                                   .ordering = BindOrdering(config, claims)};
  }
  return weights;
}

}  // namespace percept
