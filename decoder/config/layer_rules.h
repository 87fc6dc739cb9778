// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "decoder/config/text_config.h"

namespace percept {

// Far above any model, and low enough that products of a few of them stay in 64 bits.
inline constexpr int kMaxLayers = 1 << 12;
inline constexpr int kMaxWidth = 1 << 20;
inline constexpr int kMaxVocab = 1 << 24;
inline constexpr int kMaxPositions = 1 << 30;

// The index of `spec` in `ropes`, where it is added if it is new.
int RopeIdx(const RopeSpec& spec, std::vector<RopeSpec>* ropes);

// The layer whose keys and values a layer reads where the last `num_shared` have none of their own: itself, or the last
// own one of its kind (spec: text-decoder, section 3.5). Nothing where there is no such layer.
std::optional<int> KeyValueLayer(const std::vector<AttentionKind>& kinds, int num_shared, int layer_idx);

}  // namespace percept
