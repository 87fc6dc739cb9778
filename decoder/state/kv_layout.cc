// SPDX-License-Identifier: Apache-2.0
#include "decoder/state/kv_layout.h"

#include "kernels/core/check.h"

namespace percept {
namespace {

int64_t RoundToCacheLine(int64_t floats) { return (floats + 15) / 16 * 16; }

}  // namespace

KvLayout::KvLayout(const TextConfig& config, int64_t max_rows) : window(config.sliding_window) {
  PERCEPT_CHECK(max_rows > 0);
  layer_places.reserve(config.layers.size());
  for (int layer_idx = 0; layer_idx < config.num_layers(); ++layer_idx) {
    const LayerConfig& layer_config = config.layers[static_cast<size_t>(layer_idx)];
    if (!config.owns_kv(layer_idx)) {
      PERCEPT_CHECK(layer_config.kv_layer_idx >= 0 && layer_config.kv_layer_idx < layer_idx);
      layer_places.push_back(layer_places[static_cast<size_t>(layer_config.kv_layer_idx)]);
      continue;
    }
    Layer layer{.layer_idx = layer_idx,
                .kind = layer_config.kind,
                .kv_heads = layer_config.num_kv_heads,
                .head_dim = layer_config.head_dim};
    layer_places.push_back(static_cast<int>(layers.size()));
    layers.push_back(layer);
  }
  Place(max_rows);
}

void KvLayout::Place(int64_t max_rows) {
  max_segment_rows = max_rows;
  ring_rows = window - 1 + max_rows;
  block_floats = 0;
  ring_floats = 0;
  ring_row_floats = 0;
  for (Layer& layer : layers) {
    const bool is_full = layer.kind == AttentionKind::kFull;
    int64_t& used_floats = is_full ? block_floats : ring_floats;
    const int64_t floats = RoundToCacheLine((is_full ? kBlockRows : ring_rows) * layer.width());
    layer.k_offset = used_floats;
    layer.v_offset = used_floats + floats;
    used_floats += 2 * floats;
    ring_row_floats += is_full ? 0 : 2 * layer.width();
  }
}

KvLayout KvLayout::WithRoomFor(int64_t segment_rows) const {
  KvLayout layout = *this;
  if (segment_rows > max_segment_rows) {
    layout.Place(segment_rows);
  }
  return layout;
}

int64_t KvBytesNeeded(const TextConfig& config, int64_t positions, int64_t max_segment_rows) {
  return KvLayout(config, max_segment_rows).SequenceBytes(positions);
}

}  // namespace percept
