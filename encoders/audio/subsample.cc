// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/subsample.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/ops/each_row.h"
#include "kernels/ops/elementwise.h"
#include "kernels/ops/layer_norm.h"
#include "kernels/ops/linear.h"

namespace percept {
namespace {

constexpr int64_t kSide = 3;         // of a kernel; stride 2, a border of one
constexpr int64_t kPassTokens = 16;  // as many as are done at once
constexpr int64_t kFirstBins = kMelBins / 2;
constexpr int64_t kSecondBins = kMelBins / 4;
constexpr int64_t kPassTimes =
    2 * kPassTokens + 1;  // of the first convolution, of which the second reads three a token

// Rows of a layer before a convolution: row (time - first_time) * bins + bin holds the channels. Times outside
// 0 .. num_times count as zeros, whatever the rows hold.
struct Plane {
  ConstMatrixView rows;
  int64_t first_time;
  int64_t num_times;
  int64_t bins;
};

// patch[(a * 3 + b) * channels + c] = plane[2 * time + a - 1, 2 * bin + b - 1, c]
void CutPatch(const Plane& plane, int64_t time, int64_t bin, float* patch) {
  const int64_t channels = plane.rows.cols;
  for (int64_t a = 0; a < kSide; ++a) {
    for (int64_t b = 0; b < kSide; ++b, patch += channels) {
      const int64_t from_time = 2 * time + a - 1;
      const int64_t from_bin = 2 * bin + b - 1;
      if (from_time < 0 || from_time >= plane.num_times || from_bin < 0 || from_bin >= plane.bins) {
        std::fill_n(patch, channels, 0.0F);
      } else {
        std::copy_n(plane.rows.row((from_time - plane.first_time) * plane.bins + from_bin), channels, patch);
      }
    }
  }
}

// One stage for out.rows / (plane.bins / 2) times from first_time on. Its products are those of a linear layer, whose
// weight lies as CutPatch writes.
void Convolve(const AudioTower& tower, const AudioConvStage& stage, const Plane& plane, int64_t first_time,
              MatrixView out, Arena& scratch) {
  const Arena::Scope scope(scratch);
  const int64_t bins = plane.bins / 2;
  const MatrixView patches = scratch.AllocateMatrix(out.rows, stage.kernel.in_features());
  ops::ForEachRow(out.rows, patches.cols,
                  [&](int64_t r) { CutPatch(plane, first_time + r / bins, r % bins, patches.row(r)); });
  // In f32 also in fast mode: half a percent of the tower's products, whose input rounded to bf16 would cost a quiet
  // frame more than all that follows (cosine 0.99975 to the reference instead of 0.99998).
  const KernelContext in_f32{.isa = tower.context().isa, .mode = Mode::kExact};
  ops::Linear(in_f32, stage.kernel, patches, out, scratch);
  const auto eps = static_cast<float>(tower.config().rms_norm_eps);
  ops::LayerNorm(tower.context(), out, stage.norm.data(), /*bias=*/nullptr, eps, out);
  ops::Relu(tower.context(), out);
}

}  // namespace

void Subsample(const AudioTower& tower, ConstMatrixView log_mel, int64_t first_token, MatrixView rows, Arena& scratch) {
  const auto& [first_stage, second_stage] = tower.ends().convs;
  PERCEPT_CHECK(log_mel.cols == kMelBins && log_mel.stride == kMelBins &&
                rows.cols == tower.config().subsampled_width());
  const int64_t num_times = (log_mel.rows + 1) / 2;
  // A plane of one channel.
  const Plane frames{{log_mel.data, log_mel.rows * kMelBins, 1, 1}, 0, log_mel.rows, kMelBins};
  for (int64_t done = 0; done < rows.rows; done += kPassTokens) {
    const Arena::Scope scope(scratch);
    const int64_t count = std::min(kPassTokens, rows.rows - done);
    const int64_t first_time = std::max<int64_t>(0, 2 * (first_token + done) - 1);
    const int64_t end_time = std::min(num_times, 2 * (first_token + done + count));
    const MatrixView first =
        scratch.AllocateMatrix((end_time - first_time) * kFirstBins, first_stage.kernel.out_features());
    Convolve(tower, first_stage, frames, first_time, first, scratch);
    const MatrixView second = scratch.AllocateMatrix(count * kSecondBins, second_stage.kernel.out_features());
    Convolve(tower, second_stage, {first, first_time, num_times, kFirstBins}, first_token + done, second, scratch);
    for (int64_t r = 0; r < second.rows; ++r) {
      std::copy_n(second.row(r), second.cols, rows.row(done + r / kSecondBins) + r % kSecondBins * second.cols);
    }
  }
}

size_t SubsampleScratchBytes(const AudioConfig& config) {
  constexpr int64_t kPlaces = kSide * kSide;
  const int64_t channels = config.conv_channels[0];
  const auto stage = [](int64_t rows, int64_t in, int64_t out) {
    return Arena::MatrixBytes(rows, in) + ops::LinearScratchBytes(rows, in, out);
  };
  constexpr int64_t kFirstRows = kPassTimes * kFirstBins;
  constexpr int64_t kSecondRows = kPassTokens * kSecondBins;
  return Arena::MatrixBytes(kFirstRows, channels) + Arena::MatrixBytes(kSecondRows, config.conv_channels[1]) +
         std::max(stage(kFirstRows, kPlaces, channels),
                  stage(kSecondRows, kPlaces * channels, config.conv_channels[1]));
}

}  // namespace percept
