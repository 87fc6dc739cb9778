// SPDX-License-Identifier: Apache-2.0
#include "decoder/model/experts.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "kernels/ops/each_row.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/rms_norm.h"

namespace percept {
namespace {

// p = softmax(logits), in place.
void Softmax(std::span<float> values) {
  const float largest = *std::max_element(values.begin(), values.end());
  float sum = 0;
  for (float& value : values) {
    value = std::exp(value - largest);
    sum += value;
  }
  for (float& value : values) {
    value /= sum;
  }
}

// The most probable experts, best first.
void ChooseLargest(std::span<const float> probabilities, std::span<int32_t> chosen) {
  for (size_t i = 0; i < chosen.size(); ++i) {
    int32_t best = -1;
    for (int32_t expert = 0; expert < static_cast<int32_t>(probabilities.size()); ++expert) {
      const bool is_taken = std::find(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(i), expert) !=
                            chosen.begin() + static_cast<std::ptrdiff_t>(i);
      const bool is_better =
          best < 0 || probabilities[static_cast<size_t>(expert)] > probabilities[static_cast<size_t>(best)];
      best = !is_taken && is_better ? expert : best;
    }
    chosen[i] = best;
  }
}

// Weights of the chosen experts: shares of their probabilities, then each expert's own factor.
void Weigh(std::span<const float> probabilities, std::span<const int32_t> chosen, const std::vector<float>& scales,
           float* weights) {
  float sum = 0;
  for (const int32_t expert : chosen) {
    sum += probabilities[static_cast<size_t>(expert)];
  }
  for (size_t i = 0; i < chosen.size(); ++i) {
    const auto expert = static_cast<size_t>(chosen[i]);
    weights[i] = probabilities[expert] / sum * scales[expert];
  }
}

// Fills routing.experts and routing.weights.
void Route(const ForwardPass& pass, int layer_idx, ConstMatrixView x) {
  const ExpertWeights& weights = *pass.layer_weights(layer_idx).experts;
  Activations& act = pass.activations;
  ExpertRouting& routing = act.routing;
  // In fast mode too: a rounded product may choose another expert.
  KernelContext f32 = pass.context;
  f32.mode = Mode::kExact;
  const MatrixView z = pass.Rows(act.expert_rows);                // [rows, hidden]
  const MatrixView probabilities = pass.Rows(act.probabilities);  // [rows, experts]
  ops::RmsNorm(f32, x, x.cols, weights.router_scale.data(), pass.eps(), z);
  ops::Linear(f32, weights.router, z, probabilities, act.scratch);
  pass.Show(ForwardStage::kRouterLogits, layer_idx, probabilities);
  const int64_t per_row = pass.config.experts->num_experts_per_token;
  ops::ForEachRow(x.rows, probabilities.cols * per_row, [&](int64_t row) {
    const std::span<float> values(probabilities.row(row), static_cast<size_t>(probabilities.cols));
    const std::span<int32_t> chosen(routing.experts.data() + row * per_row, static_cast<size_t>(per_row));
    Softmax(values);
    ChooseLargest(values, chosen);
    Weigh(values, chosen, weights.expert_scale, routing.weights.view().row(row));
  });
  pass.Show(ForwardStage::kRouterProbabilities, layer_idx, probabilities);
  pass.Show(ForwardStage::kExpertWeights, layer_idx, pass.Rows(routing.weights));
}

// Fills routing.starts and routing.places: the rows of each expert, ascending.
void GroupByExpert(ExpertRouting& routing, int64_t num_places) {
  std::fill(routing.starts.begin(), routing.starts.end(), 0);
  for (int64_t place = 0; place < num_places; ++place) {
    ++routing.starts[static_cast<size_t>(routing.experts[static_cast<size_t>(place)]) + 1];
  }
  std::partial_sum(routing.starts.begin(), routing.starts.end(), routing.starts.begin());
  // Each start moves on to the next expert's as its places are filled, and is put back afterwards.
  for (int64_t place = 0; place < num_places; ++place) {
    const auto expert = static_cast<size_t>(routing.experts[static_cast<size_t>(place)]);
    routing.places[static_cast<size_t>(routing.starts[expert]++)] = static_cast<int32_t>(place);
  }
  std::copy_backward(routing.starts.begin(), routing.starts.end() - 1, routing.starts.end());
  routing.starts[0] = 0;
}

// out[row] += weight * (W_down (gelu(W_gate y) * W_up y)) for the rows that chose one expert.
void RunExpert(const ForwardPass& pass, const FeedForwardWeights& expert, std::span<const int32_t> places,
               ConstMatrixView y, MatrixView out) {
  Activations& act = pass.activations;
  const auto count = static_cast<int64_t>(places.size());
  const int64_t per_row = pass.config.experts->num_experts_per_token;
  const auto first_rows = [&](const Matrix& matrix, int64_t cols) {
    MatrixView view = matrix.Rows(0, count);
    view.cols = cols;
    return view;
  };
  const MatrixView in = first_rows(act.expert_rows, y.cols);                 // [count, hidden]
  const MatrixView gate = first_rows(act.gate, pass.config.experts->width);  // [count, expert width]
  const MatrixView up = first_rows(act.up, pass.config.experts->width);      // [count, expert width]
  ops::ForEachRow(count, y.cols,
                  [&](int64_t i) { std::copy_n(y.row(places[static_cast<size_t>(i)] / per_row), y.cols, in.row(i)); });
  ops::Linear(pass.context, expert.gate_proj, in, gate, act.scratch);
  ops::Linear(pass.context, expert.up_proj, in, up, act.scratch);
  ops::GeluGate(pass.context, gate, up);
  ops::Linear(pass.context, expert.down_proj, gate, in, act.scratch);
  ops::ForEachRow(count, y.cols, [&](int64_t i) {
    const int64_t place = places[static_cast<size_t>(i)];
    const float weight = act.routing.weights.view().row(place / per_row)[place % per_row];
    float* sum = out.row(place / per_row);
    for (int64_t col = 0; col < out.cols; ++col) {
      sum[col] += weight * in.row(i)[col];
    }
  });
}

}  // namespace

void Experts(const ForwardPass& pass, int layer_idx, ConstMatrixView x, ConstMatrixView y, MatrixView out) {
  const ExpertWeights& weights = *pass.layer_weights(layer_idx).experts;
  ExpertRouting& routing = pass.activations.routing;
  Route(pass, layer_idx, x);
  GroupByExpert(routing, x.rows * pass.config.experts->num_experts_per_token);
  for (int64_t row = 0; row < out.rows; ++row) {
    std::fill_n(out.row(row), out.cols, 0.0F);
  }
  // In ascending order: a row's sum does not depend on the rows beside it.
  for (size_t expert = 0; expert < weights.experts.size(); ++expert) {
    const int32_t begin = routing.starts[expert];
    const int32_t end = routing.starts[expert + 1];
    if (begin < end) {
      const std::span<const int32_t> places(routing.places.data() + begin, static_cast<size_t>(end - begin));
      RunExpert(pass, weights.experts[expert], places, y, out);
    }
  }
  pass.Show(ForwardStage::kExpertsOutput, layer_idx, out);
}

}  // namespace percept
