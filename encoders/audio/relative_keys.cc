// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/relative_keys.h"

#include <cmath>
#include <numbers>

#include "kernels/core/arena.h"
#include "kernels/cpu/context.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/linear.h"

namespace percept {
namespace {

const double kKeyScale = std::log(1 + std::numbers::e) / std::numbers::ln2;

}  // namespace

Matrix PositionTable(int64_t rows, int64_t width) {
  constexpr float kLongest = 10000.0F;
  Matrix table(rows, width);
  const int64_t half = width / 2;
  const float step = std::log(kLongest) / static_cast<float>(half - 1);
  for (int64_t d = 0; d < rows; ++d) {
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(d) * std::exp(-step * static_cast<float>(i));
      table.view().row(d)[i] = std::sin(angle);
      table.view().row(d)[half + i] = std::cos(angle);
    }
  }
  return table;
}

// In exact mode whatever the model's: it is done once, and f32 products need no packing.
Matrix RelativeKeys(const AudioConfig& config, const ConstTensor& projection, Isa isa) {
  const KernelContext context{.isa = isa, .mode = Mode::kExact};
  const Matrix table = PositionTable(config.attention_window, config.width);
  Matrix keys(config.attention_window, config.width);
  Arena scratch(ops::LinearScratchBytes(config.attention_window, config.width, config.width));
  ops::Linear(context, ops::LinearWeight::Mapped(projection), table.view(), keys.view(), scratch);
  ops::Scale(context, keys.view(), static_cast<float>(1 / kKeyScale));
  return keys;
}

std::vector<float> QueryScale(const std::vector<float>& per_dim_scale) {
  const double constant = kKeyScale / (std::numbers::ln2 * std::sqrt(static_cast<double>(per_dim_scale.size())));
  std::vector<float> scale;
  scale.reserve(per_dim_scale.size());
  for (const float value : per_dim_scale) {
    const double softplus = std::log1p(std::exp(-std::abs(double{value}))) + std::fmax(double{value}, 0.0);
    scale.push_back(static_cast<float>(constant * softplus));
  }
  return scale;
}

}  // namespace percept
