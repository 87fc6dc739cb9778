// SPDX-License-Identifier: Apache-2.0
#include "decoder/state/activations.h"

#include <algorithm>
#include <span>
#include <string>

#include "kernels/core/error.h"
#include "kernels/ops/linear.h"

namespace percept {
namespace {

// The widest of each kind of row over all layers.
struct Widths {
  int64_t q = 0;
  int64_t kv = 0;
  int64_t head_dim = 0;
  int64_t mlp = 0;
  int64_t per_layer = 0;
  int64_t experts = 0;
  int64_t experts_per_row = 0;
  int64_t expert_rows = 0;

  explicit Widths(const TextConfig& config) : per_layer(int64_t{config.num_layers()} * config.ple_width) {
    for (const LayerConfig& layer : config.layers) {
      q = std::max(q, int64_t{config.num_heads} * layer.head_dim);
      kv = std::max(kv, int64_t{layer.num_kv_heads} * layer.head_dim);
      head_dim = std::max(head_dim, int64_t{layer.head_dim});
      mlp = std::max(mlp, int64_t{layer.mlp_width});
    }
    if (config.experts.has_value()) {
      mlp = std::max(mlp, int64_t{config.experts->width});
      experts = config.experts->num_experts;
      experts_per_row = config.experts->num_experts_per_token;
      expert_rows = config.hidden_size;
    }
  }
};

size_t ScratchBytes(const TextConfig& config, const StepLimits& limits) {
  const Widths widths(config);
  const int64_t max_in = std::max({int64_t{config.hidden_size}, widths.q, widths.mlp, int64_t{config.ple_width}});
  const int64_t max_out =
      std::max({int64_t{config.hidden_size}, widths.q, widths.mlp, widths.per_layer, widths.experts});
  return std::max(
      {ops::LinearScratchBytes(limits.max_rows, max_in, max_out),
       ops::LinearScratchBytes(limits.max_output_rows, config.hidden_size, config.vocab_size),
       ops::AttentionScratchBytes(limits.max_rows, config.num_heads, widths.head_dim, limits.max_positions)});
}

StepLimits RequirePositive(const StepLimits& limits) {
  if (std::min({limits.max_rows, limits.max_segments, limits.max_output_rows, limits.max_positions}) <= 0) {
    throw ArgumentError("decoder step: limits of " + std::to_string(limits.max_rows) + " rows, " +
                        std::to_string(limits.max_segments) + " segments, " + std::to_string(limits.max_output_rows) +
                        " output rows, " + std::to_string(limits.max_positions) + " positions: each is at least 1");
  }
  return limits;
}

}  // namespace

Activations::Activations(const TextConfig& config, const StepLimits& step_limits)
    : limits(RequirePositive(step_limits)), rows(config, limits), scratch(ScratchBytes(config, limits)) {
  const Widths widths(config);
  ids.resize(static_cast<size_t>(limits.max_rows));
  for (Matrix* matrix : {&x, &normed, &branch}) {
    *matrix = Matrix(limits.max_rows, config.hidden_size);
  }
  for (Matrix* matrix : {&q, &attended}) {
    *matrix = Matrix(limits.max_rows, widths.q);
  }
  for (Matrix* matrix : {&k, &v}) {
    *matrix = Matrix(limits.max_rows, widths.kv);
  }
  for (Matrix* matrix : {&gate, &up}) {
    *matrix = Matrix(limits.max_rows, widths.mlp);
  }
  routing.experts.resize(static_cast<size_t>(limits.max_rows * widths.experts_per_row));
  routing.places.resize(routing.experts.size());
  routing.starts.resize(static_cast<size_t>(widths.experts + 1));
  routing.weights = Matrix(limits.max_rows, widths.experts_per_row);
  probabilities = Matrix(limits.max_rows, widths.experts);
  for (Matrix* matrix : {&expert_rows, &expert_sum}) {
    *matrix = Matrix(limits.max_rows, widths.expert_rows);
  }
  per_layer = Matrix(limits.max_rows, widths.per_layer);
  ple = Matrix(limits.max_rows, config.ple_width);
  hidden = Matrix(limits.max_output_rows, config.hidden_size);
  logits = Matrix(limits.max_output_rows, config.vocab_size);
}

void Activations::KeepOutputRows() {
  const std::span<const int64_t> kept = rows.output_rows();  // ascending, so that no row is overwritten before it moved
  for (const Matrix* matrix : {&x, &normed, &per_layer}) {
    const MatrixView values = matrix->view();
    for (size_t i = 0; i < kept.size(); ++i) {
      const int64_t to = static_cast<int64_t>(i);
      if (kept[i] != to) {
        std::copy_n(values.row(kept[i]), values.cols, values.row(to));
      }
    }
  }
  rows.KeepOutputRows();
}

int64_t Activations::BytesNeeded(const TextConfig& config, const StepLimits& limits) {
  const Widths widths(config);
  RequirePositive(limits);
  const auto matrix_bytes = [](int64_t num_rows, int64_t cols) {
    return static_cast<int64_t>(Arena::MatrixBytes(num_rows, cols));
  };
  int64_t angle_bytes = 0;
  for (const RopeSpec& rope : config.ropes) {
    angle_bytes += 2 * matrix_bytes(limits.max_rows, rope.head_dim / 2);
  }
  return 3 * matrix_bytes(limits.max_rows, config.hidden_size) + 2 * matrix_bytes(limits.max_rows, widths.q) +
         2 * matrix_bytes(limits.max_rows, widths.kv) + 2 * matrix_bytes(limits.max_rows, widths.mlp) +
         matrix_bytes(limits.max_rows, widths.experts) + matrix_bytes(limits.max_rows, widths.experts_per_row) +
         2 * matrix_bytes(limits.max_rows, widths.expert_rows) + matrix_bytes(limits.max_rows, widths.per_layer) +
         matrix_bytes(limits.max_rows, config.ple_width) + matrix_bytes(limits.max_output_rows, config.hidden_size) +
         matrix_bytes(limits.max_output_rows, config.vocab_size) + angle_bytes +
         static_cast<int64_t>(ScratchBytes(config, limits));
}

}  // namespace percept
