// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/vision_batch.h"

#include <algorithm>
#include <array>

#include "encoders/vision/projector.h"
#include "kernels/core/check.h"
#include "kernels/ops/attention.h"
#include "kernels/ops/each_row.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/gather.h"
#include "kernels/ops/linear.h"
#include "kernels/ops/rms_norm.h"
#include "kernels/ops/rope.h"

namespace percept {
namespace {

constexpr int64_t kPatchesPerToken = int64_t{kPoolSide_patches} * kPoolSide_patches;

float* FloatsOf(const Buffer& buffer) { return reinterpret_cast<float*>(buffer.get()); }

}  // namespace

VisionBatch::VisionBatch(const VisionTower& tower, int64_t max_patches)
    : tower_(tower), activations_(tower.config(), max_patches) {
  pictures_.reserve(static_cast<size_t>(max_patches / kPatchesPerToken));
}

void VisionBatch::Reserve(int64_t max_patches) {
  if (max_patches > activations_.max_patches) {
    activations_ = VisionActivations(tower_.config(), max_patches);
    pictures_.reserve(static_cast<size_t>(max_patches / kPatchesPerToken));
  }
}

template <typename Body>
void VisionBatch::ForEachTile(Tile rows, Body&& body) const {
  const int64_t end = rows.first + rows.count;
  for (int64_t first = rows.first; first < end; first += activations_.tile_rows) {
    body(Tile{first, std::min(activations_.tile_rows, end - first)});
  }
}

void VisionBatch::Begin(std::span<const ImagePatches* const> pictures) {
  pictures_.clear();
  num_rows_ = 0;
  for (const ImagePatches* picture : pictures) {
    const Tile rows{num_rows_, picture->grid.num_patches()};
    PERCEPT_CHECK(picture->values.rows() == rows.count && picture->values.cols() == kPatchValues);
    PERCEPT_CHECK(static_cast<int64_t>(picture->positions.size()) == rows.count);
    PERCEPT_CHECK(rows.first + rows.count <= activations_.max_patches);
    pictures_.push_back({picture->grid, rows.first});
    num_rows_ += rows.count;
    if (tower_.weights().cells.has_value()) {
      EmbedPictureCells(*picture, {rows.first / kPatchesPerToken, rows.count / kPatchesPerToken});
    } else {
      EmbedPicture(*picture, rows);
    }
  }
}

void VisionBatch::EmbedPicture(const ImagePatches& picture, const Tile& rows) {
  ForEachTile(rows, [&](const Tile& tile) {
    const auto positions = std::span(picture.positions)
                               .subspan(static_cast<size_t>(tile.first - rows.first), static_cast<size_t>(tile.count));
    EmbedPatches(picture.values.Rows(tile.first - rows.first, tile.count), tile);
    EmbedPositions(positions, tile);
    ComputeAngles(positions, tile);
  });
}

// Into the rows that a tower pools into.
void VisionBatch::EmbedPictureCells(const ImagePatches& picture, const Tile& rows) {
  const CellWeights& weights = *tower_.weights().cells;
  ForEachTile(rows, [&](const Tile& tile) {
    const int64_t first = tile.first - rows.first;
    const MatrixView pixels = activations_.pixels.Rows(0, tile.count);             // [tile, 6912]
    const MatrixView embedded = activations_.pooled.Rows(tile.first, tile.count);  // [tile, D]
    GatherCells(picture, first, pixels);
    EmbedCells(weights, tower_.context(), pixels, embedded, activations_.scratch);
    PlaceCells(weights, tower_.context(), picture.grid, first, activations_.branch.Rows(0, 1), embedded);
  });
}

// x = (2v - 1) * patch_proj^T (spec vision 3.3)
void VisionBatch::EmbedPatches(ConstMatrixView values, const Tile& tile) {
  const MatrixView pixels = activations_.pixels.Rows(0, tile.count);  // [tile, 768]
  ops::ForEachRow(tile.count, kPatchValues, [&](int64_t r) {
    std::transform(values.row(r), values.row(r) + kPatchValues, pixels.row(r), [](float v) { return 2.0f * v - 1.0f; });
  });
  Linear(tower_.weights().patch_proj, pixels, ResidualOf(tile));
}

// x += column_positions[x] + row_positions[y] (spec vision 3.3)
void VisionBatch::EmbedPositions(std::span<const PatchPosition> positions, const Tile& tile) {
  const std::span<int32_t> ids = std::span(activations_.table_rows).first(positions.size());
  const MatrixView by_column = activations_.normed.Rows(0, tile.count);  // [tile, D]
  const MatrixView by_row = activations_.branch.Rows(0, tile.count);     // [tile, D]
  std::transform(positions.begin(), positions.end(), ids.begin(), [](const PatchPosition& p) { return p.x; });
  ops::GatherRows(tower_.context(), tower_.weights().column_positions, ids, 0, 1.0f, by_column);
  std::transform(positions.begin(), positions.end(), ids.begin(), [](const PatchPosition& p) { return p.y; });
  ops::GatherRows(tower_.context(), tower_.weights().row_positions, ids, 0, 1.0f, by_row);
  ops::AddScale(tower_.context(), by_column, by_row, 1.0f);
  ops::AddScale(tower_.context(), ResidualOf(tile), by_column, 1.0f);
}

// The first half of a head turns by x, the second by y (spec vision 3.5).
void VisionBatch::ComputeAngles(std::span<const PatchPosition> positions, const Tile& tile) {
  const std::vector<float>& frequencies = tower_.rope_frequencies();  // [head_dim / 4]
  const auto num_frequencies = static_cast<int64_t>(frequencies.size());
  const std::span<int64_t> along = std::span(activations_.positions).first(positions.size());
  const auto half = [&](const Matrix& angles, int64_t section) {
    const MatrixView rows = angles.Rows(tile.first, tile.count);
    return MatrixView{rows.data + section * num_frequencies, rows.rows, num_frequencies, rows.stride};
  };
  std::transform(positions.begin(), positions.end(), along.begin(), [](const PatchPosition& p) { return p.x; });
  ops::RopeAngles(along, frequencies, half(activations_.cos, 0), half(activations_.sin, 0));
  std::transform(positions.begin(), positions.end(), along.begin(), [](const PatchPosition& p) { return p.y; });
  ops::RopeAngles(along, frequencies, half(activations_.cos, 1), half(activations_.sin, 1));
}

void VisionBatch::RunLayer(int64_t layer_idx) {
  const VisionLayerWeights& layer = tower_.weights().layers.at(static_cast<size_t>(layer_idx));
  const Tile all{0, num_rows_};
  ForEachTile(all, [&](const Tile& tile) { ComputeKeysAndValues(layer, tile); });
  ForEachTile(all, [&](const Tile& tile) {
    Attend(layer, tile);
    FeedForward(layer, tile);
  });
}

void VisionBatch::ComputeKeysAndValues(const VisionLayerWeights& layer, const Tile& tile) {
  const VisionConfig& config = tower_.config();
  const int64_t width = int64_t{config.num_heads} * config.head_dim;
  const auto eps = static_cast<float>(config.rms_norm_eps);
  const MatrixView keys{FloatsOf(activations_.keys) + tile.first * width, tile.count, width, width};      // [t, A]
  const MatrixView values{FloatsOf(activations_.values) + tile.first * width, tile.count, width, width};  // [t, A]
  NormedProducts(ResidualOf(tile), layer.input_norm,
                 std::array{Product{layer.k_proj, keys}, Product{layer.v_proj, values}});
  Norm(keys, layer.k_norm, keys);
  ops::RmsNorm(tower_.context(), values, config.head_dim, nullptr, eps, values);
  RotateHeads(tile, keys);
}

void VisionBatch::Attend(const VisionLayerWeights& layer, const Tile& tile) {
  const MatrixView x = ResidualOf(tile);                                  // [t, D]
  const MatrixView queries = activations_.queries.Rows(0, tile.count);    // [t, A]
  const MatrixView attended = activations_.attended.Rows(0, tile.count);  // [t, A]
  const MatrixView branch = activations_.branch.Rows(0, tile.count);      // [t, D]
  NormedProducts(x, layer.input_norm, std::array{Product{layer.q_proj, queries}});
  Norm(queries, layer.q_norm, queries);
  RotateHeads(tile, queries);
  AttendWithinPictures(queries, tile, attended);
  Linear(layer.o_proj, attended, branch);
  NormAdd(branch, layer.post_attention_norm, x);
}

// Each picture is an attention problem of its own, with positions from 0: its keys fall into the same blocks wherever
// it lies in the batch.
void VisionBatch::AttendWithinPictures(ConstMatrixView queries, const Tile& tile, MatrixView out) {
  const VisionConfig& config = tower_.config();
  const int64_t width = int64_t{config.num_heads} * config.head_dim;
  for (const Extent& picture : pictures_) {
    const int64_t num_keys = picture.grid.num_patches();
    const int64_t begin = std::max(tile.first, picture.first_row);
    const int64_t end = std::min(tile.first + tile.count, picture.first_row + num_keys);
    if (begin >= end) {
      continue;
    }
    const float* keys = FloatsOf(activations_.keys) + picture.first_row * width;
    const float* values = FloatsOf(activations_.values) + picture.first_row * width;
    const ops::KeyValueView view{.k_blocks = &keys,
                                 .v_blocks = &values,
                                 .block_rows = num_keys,
                                 .capacity = num_keys,
                                 .kv_heads = config.num_heads,
                                 .head_dim = config.head_dim};
    const std::span<ops::KeyRange> ranges = std::span(activations_.key_ranges).first(static_cast<size_t>(end - begin));
    std::fill(ranges.begin(), ranges.end(), ops::KeyRange{0, num_keys});
    ops::Attention(tower_.context(), queries.Rows(begin - tile.first, end - begin), config.num_heads, view, ranges,
                   out.Rows(begin - tile.first, end - begin), activations_.scratch);
  }
}

void VisionBatch::FeedForward(const VisionLayerWeights& layer, const Tile& tile) {
  const MatrixView x = ResidualOf(tile);                              // [t, D]
  const MatrixView gate = activations_.gate.Rows(0, tile.count);      // [t, F]
  const MatrixView up = activations_.up.Rows(0, tile.count);          // [t, F]
  const MatrixView branch = activations_.branch.Rows(0, tile.count);  // [t, D]
  NormedProducts(x, layer.pre_mlp_norm, std::array{Product{layer.gate_proj, gate}, Product{layer.up_proj, up}});
  if (const auto gated = RoundedInput(std::array{Product{layer.down_proj, branch}}, tile.count)) {
    ops::GeluGate(tower_.context(), gate, up, *gated);
    ops::Linear(tower_.context(), layer.down_proj, *gated, branch, activations_.scratch);
  } else {
    ops::GeluGate(tower_.context(), gate, up);
    Linear(layer.down_proj, gate, branch);
  }
  NormAdd(branch, layer.post_mlp_norm, x);
}

void VisionBatch::Finish(std::span<const MatrixView> soft_tokens) {
  PERCEPT_CHECK(soft_tokens.size() == pictures_.size());
  for (size_t i = 0; i < pictures_.size(); ++i) {
    const PatchGrid& grid = pictures_[i].grid;
    PERCEPT_CHECK(soft_tokens[i].rows == grid.num_soft_tokens() && soft_tokens[i].cols == tower_.decoder_hidden());
    const int64_t first_token = pictures_[i].first_row / kPatchesPerToken;
    const MatrixView pooled = activations_.pooled.Rows(first_token, grid.num_soft_tokens());  // [soft tokens, D]
    if (!tower_.weights().cells.has_value()) {
      PoolCells(tower_, hidden(static_cast<int64_t>(i)), grid, pooled);
      Standardize(tower_, pooled);
    }
    ForEachTile({0, pooled.rows}, [&](const Tile& tile) {
      Project(tower_, pooled.Rows(tile.first, tile.count), soft_tokens[i].Rows(tile.first, tile.count),
              activations_.scratch);
    });
  }
}

ConstMatrixView VisionBatch::hidden(int64_t picture) const {
  const Extent& extent = pictures_.at(static_cast<size_t>(picture));
  return activations_.residual.Rows(extent.first_row, extent.grid.num_patches());
}

std::optional<ops::BF16Rows> VisionBatch::RoundedInput(std::span<const Product> products, int64_t rows) const {
  const ops::ClipBounds& clip = products[0].weight.clip();
  for (const Product& product : products) {
    const ops::ClipBounds& other = product.weight.clip();
    if (!ops::ReadsBF16(tower_.context(), product.weight) || other.input_min != clip.input_min ||
        other.input_max != clip.input_max) {
      return std::nullopt;
    }
  }
  return ops::BF16Rows{.data = reinterpret_cast<uint16_t*>(activations_.rounded.get()),
                       .rows = rows,
                       .cols = products[0].weight.in_features(),
                       .low = clip.input_min,
                       .high = clip.input_max};
}

void VisionBatch::NormedProducts(ConstMatrixView x, const std::vector<float>& norm, std::span<const Product> products) {
  if (const auto rounded = RoundedInput(products, x.rows)) {
    ops::RmsNorm(tower_.context(), x, norm.data(), static_cast<float>(tower_.config().rms_norm_eps), *rounded);
    for (const Product& product : products) {
      ops::Linear(tower_.context(), product.weight, *rounded, product.y, activations_.scratch);
    }
    return;
  }
  const MatrixView normed = activations_.normed.Rows(0, x.rows);  // [t, D]
  Norm(x, norm, normed);
  for (const Product& product : products) {
    Linear(product.weight, normed, product.y);
  }
}

void VisionBatch::Linear(const ops::LinearWeight& weight, ConstMatrixView x, MatrixView y) {
  ops::Linear(tower_.context(), weight, x, y, activations_.scratch);
}

// Over groups as wide as the weight: whole rows, or heads.
void VisionBatch::Norm(ConstMatrixView x, const std::vector<float>& weight, MatrixView y) const {
  const auto eps = static_cast<float>(tower_.config().rms_norm_eps);
  ops::RmsNorm(tower_.context(), x, static_cast<int64_t>(weight.size()), weight.data(), eps, y);
}

void VisionBatch::NormAdd(ConstMatrixView x, const std::vector<float>& weight, MatrixView residual) const {
  ops::RmsNormAdd(tower_.context(), x, weight.data(), static_cast<float>(tower_.config().rms_norm_eps), residual);
}

void VisionBatch::RotateHeads(const Tile& tile, MatrixView x) const {
  const VisionConfig& config = tower_.config();
  ops::Rope(tower_.context(), x, config.num_heads, config.head_dim, 2, activations_.cos.Rows(tile.first, tile.count),
            activations_.sin.Rows(tile.first, tile.count));
}

}  // namespace percept
