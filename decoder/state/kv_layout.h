// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "decoder/config/text_config.h"

namespace percept {

// Where the keys and values of each layer lie in a sequence's memory. Full layers grow in blocks of kBlockRows
// positions; one block holds the keys and values of all full layers. Sliding layers are rings of ring_rows positions in
// one piece of memory. Layers that read another layer's keys and values have none of their own.
struct KvLayout {
  static constexpr int64_t kBlockRows = 64;

  struct Layer {
    int layer_idx = 0;  // in the model
    AttentionKind kind = AttentionKind::kFull;
    int64_t kv_heads = 0;
    int64_t head_dim = 0;
    int64_t k_offset = 0;  // floats from the start of a block (full) or of the rings (sliding)
    int64_t v_offset = 0;

    int64_t width() const { return kv_heads * head_dim; }  // floats of one position's keys (or values)
  };

  // max_segment_rows: the most rows of one sequence that a step computes (chunk, picture run kept whole, draft + 1).
  // A ring then holds window - 1 rows behind the first of them.
  KvLayout(const TextConfig& config, int64_t max_segment_rows);
  // The same with larger rings, where a segment may have more rows than this layout's.
  KvLayout WithRoomFor(int64_t segment_rows) const;

  int64_t BlocksFor(int64_t positions) const { return (positions + kBlockRows - 1) / kBlockRows; }
  // None where no layer is full.
  int64_t NumBlocks(int64_t positions) const { return block_floats > 0 ? BlocksFor(positions) : 0; }
  int64_t SequenceBytes(int64_t positions) const { return BlocksFor(positions) * block_bytes() + ring_bytes(); }
  int64_t block_bytes() const { return block_floats * int64_t{sizeof(float)}; }
  int64_t ring_bytes() const { return ring_floats * int64_t{sizeof(float)}; }
  int64_t ring_row_bytes() const { return ring_row_floats * int64_t{sizeof(float)}; }

  int64_t window = 0;
  int64_t max_segment_rows = 0;
  int64_t ring_rows = 0;
  int64_t block_floats = 0;       // of one block
  int64_t ring_floats = 0;        // of all rings of a sequence
  int64_t ring_row_floats = 0;    // of one position in all rings
  std::vector<Layer> layers;      // those with keys and values of their own, in model order
  std::vector<int> layer_places;  // [num_layers] into `layers`: the place of the keys and values that the layer reads

 private:
  void Place(int64_t max_rows);
};

// Bytes that the keys and values of one sequence of up to `positions` tokens take.
int64_t KvBytesNeeded(const TextConfig& config, int64_t positions, int64_t max_segment_rows);

}  // namespace percept
