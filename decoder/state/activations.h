// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "decoder/config/text_config.h"
#include "decoder/state/step_rows.h"
#include "kernels/core/arena.h"
#include "kernels/core/tensor.h"

namespace percept {

// Which experts the rows of a step go through. Empty where a model has none.
struct ExpertRouting {
  // Place row * per_row + i is the i-th expert of a row, best first.
  std::vector<int32_t> experts;  // [rows * per_row]
  Matrix weights;                // [rows, per_row]
  // Places expert after expert: those of expert e are [starts[e], starts[e + 1]).
  std::vector<int32_t> starts;  // [experts + 1]
  std::vector<int32_t> places;  // [rows * per_row]
};

// The scratch of a step, sized once for the most rows it may bring. One step at a time uses it.
struct Activations {
  // Throws ArgumentError where a limit is not positive.
  Activations(const TextConfig& config, const StepLimits& limits);

  // Bytes of all matrices and of the ops' scratch, without taking them.
  static int64_t BytesNeeded(const TextConfig& config, const StepLimits& limits);

  // Moves each segment's output rows to the front of x, normed and per_layer, and drops all other rows.
  void KeepOutputRows();

  StepLimits limits;
  StepRows rows;             // the rows at work
  std::vector<int32_t> ids;  // [rows] placeholders replaced by pad

  Matrix x;         // [rows, hidden] the residual stream
  Matrix normed;    // [rows, hidden]
  Matrix branch;    // [rows, hidden] what a sub-layer adds to the stream
  Matrix q;         // [rows, heads * head_dim]
  Matrix k, v;      // [rows, kv_heads * head_dim]
  Matrix attended;  // [rows, heads * head_dim]
  Matrix gate, up;  // [rows, mlp_width], of the dense branch or of an expert
  ExpertRouting routing;
  Matrix probabilities;  // [rows, experts]
  Matrix expert_rows;    // [rows, hidden] rows of one expert
  Matrix expert_sum;     // [rows, hidden]
  Matrix per_layer;      // [rows, layers * ple_width]
  Matrix ple;            // [rows, ple_width]
  Matrix hidden;         // [output rows, hidden] after the final norm
  Matrix logits;         // [output rows, vocab]
  Arena scratch;         // of the ops
};

}  // namespace percept
