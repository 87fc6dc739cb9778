// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "decoder/config/text_config.h"

namespace percept {

// Far above any model. The heads of a layer are together no wider than kMaxWidth, so that the bytes of keys and values
// over all layers and positions stay in 64 bits, as do products of two widths with a vocabulary or with positions.
inline constexpr int kMaxLayers = 1 << 12;
inline constexpr int kMaxWidth = 1 << 20;
inline constexpr int kMaxVocab = 1 << 24;
inline constexpr int kMaxPositions = 1 << 24;
inline constexpr double kMaxTheta = 1e12;
inline constexpr double kMaxLogitCap = 1e6;
inline constexpr double kMaxEpsilon = 1;

// The index of `spec` in `ropes`, where it is added if it is new.
int RopeIdx(const RopeSpec& spec, std::vector<RopeSpec>* ropes);

// The layer whose keys and values a layer reads where the last `num_shared` have none of their own: itself, or the last
// own one of its kind (spec: text-decoder, section 3.5). Nothing where there is no such layer.
std::optional<int> KeyValueLayer(const std::vector<AttentionKind>& kinds, int num_shared, int layer_idx);

}  // namespace percept
