// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "decoder/state/kv_cache.h"
#include "kernels/core/tensor.h"

namespace percept {

// Soft tokens for rows first_row, first_row + 1, ... of a segment, whose ids are placeholders. Used unscaled.
struct SoftRows {
  int64_t first_row = 0;
  ConstMatrixView rows;  // [n, hidden]
};

// The next rows of one sequence: a chunk of its prompt, or the token it sampled last. Where the model lets the rows of
// a media run see each other, a run lies in one segment: its rows would not see what comes in a later one.
struct Segment {
  KvCache* cache = nullptr;             // the rows' positions follow those it holds
  std::span<const int32_t> ids;         // [rows], at least one
  std::span<const SoftRows> soft_rows;  // ascending, disjoint; a placeholder without one keeps the pad row
  int64_t num_output_rows = 0;          // the last rows whose hidden state and logits are wanted
};

}  // namespace percept
