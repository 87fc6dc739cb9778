// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "decoder/config/text_config.h"
#include "decoder/model/drafter_weights.h"
#include "decoder/model/forward_observer.h"
#include "decoder/model/forward_pass.h"
#include "decoder/model/text_decoder.h"
#include "decoder/state/draft_activations.h"
#include "decoder/state/kv_cache.h"
#include "kernels/cpu/context.h"

namespace percept {

// One sequence that a token is drafted for.
struct DraftRow {
  KvCache* cache = nullptr;  // of the target: what it holds, the newest token not among it
  int32_t id = 0;            // the newest token, accepted or drafted; after a step the one drafted to follow it
  std::span<float> hidden;   // [backbone] of the target behind its final norm, where the first token of the round was
                             // picked, or of the drafter; after a step that for the next
};

// A small model that guesses the next tokens of another one, its target, from that one's embeddings, hidden state, keys
// and values (spec text-decoder 6). Const after construction.
class Drafter {
 public:
  static constexpr int32_t kNoToken = -1;

  // RequireDrafterFor holds for `config` and the target, which outlives the drafter.
  Drafter(const TextConfig& config, DrafterWeights weights, const TextDecoder& target);

  // Drafts one more token for every row. The position of a row is the one behind its cache's in all steps of a round.
  // The token is the likeliest, the lowest of equal ones; kNoToken where no logit is a number. Allocates nothing.
  // Throws ArgumentError when the rows do not fit the activations or a cache is empty.
  void Step(std::span<DraftRow> rows, DraftActivations& activations, ForwardObserver* observer = nullptr) const;

  const TextConfig& config() const { return config_; }

 private:
  void JoinInputs(std::span<const DraftRow> rows, DraftActivations& activations) const;
  void PickFromAll(const ForwardPass& pass, ConstMatrixView h, std::span<DraftRow> rows,
                   DraftActivations& activations) const;
  void PickFromClusters(const ForwardPass& pass, ConstMatrixView h, std::span<DraftRow> rows,
                        DraftActivations& activations) const;
  void CollectClusters(std::span<const float> centroid_logits, DraftActivations& activations) const;

  TextConfig config_;
  DrafterWeights weights_;
  const TextDecoder& target_;
  std::array<int, 2> target_kv_layers_;
};

}  // namespace percept
