// SPDX-License-Identifier: Apache-2.0
#include "encoders/vision/resample.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "encoders/vision/byte_transpose.h"
#include "encoders/vision/weighted_sum.h"
#include "kernels/core/error.h"
#include "kernels/cpu/threads.h"

namespace percept {
namespace {

constexpr int64_t kChannels = 3;
constexpr int64_t kStripRows = kTransposeSide;
// Bytes a task should touch, so that small pictures stay on one thread.
constexpr int64_t kGrainBytes = 64 << 10;
// Source pixels of a strip that are transposed at once: 48 KiB, half a second-level cache with its output.
constexpr int64_t kWindowPixels = 1024;

int64_t Grain(int64_t bytes_per_item) {
  return std::max<int64_t>(1, kGrainBytes / std::max<int64_t>(1, bytes_per_item));
}

// The horizontal pass works on strips of 16 rows, transposed so that the 16 bytes of one column and channel are
// neighbours: then it is the same weighted sum of byte rows as the vertical pass.
class HorizontalPass {
 public:
  HorizontalPass(const RgbView& source, const AxisWeights& axis, WeightedSumFn sum, RgbImage* out)
      : source_(source), axis_(axis), sum_(sum), out_(out) {
    for (int64_t x = 0; x < axis_.length(); x = BlockEnd(x)) {
      const int64_t end = BlockEnd(x);
      max_window_pixels_ = std::max(max_window_pixels_, WindowEnd(end) - axis_.taps[static_cast<size_t>(x)].first);
      max_block_pixels_ = std::max(max_block_pixels_, end - x);
    }
  }

  int64_t num_strips() const { return (source_.height + kStripRows - 1) / kStripRows; }

  void Run(int64_t first_strip, int64_t end_strip) const {
    constexpr int64_t kPixelBytes = kChannels * kStripRows;
    std::vector<uint8_t> window(static_cast<size_t>(max_window_pixels_ * kPixelBytes));
    std::vector<uint8_t> block(static_cast<size_t>(max_block_pixels_ * kPixelBytes));
    for (int64_t strip = first_strip; strip < end_strip; ++strip) {
      for (int64_t x = 0; x < axis_.length(); x = BlockEnd(x)) {
        ResampleBlock(strip * kStripRows, x, BlockEnd(x), window.data(), block.data());
      }
    }
  }

 private:
  // Outputs whose source pixels fit the window; one output where even that does not.
  int64_t BlockEnd(int64_t x) const {
    const int64_t first = axis_.taps[static_cast<size_t>(x)].first;
    int64_t end = x + 1;
    while (end < axis_.length() && end - x < kWindowPixels && WindowEnd(end + 1) - first <= kWindowPixels) ++end;
    return end;
  }

  int64_t WindowEnd(int64_t x_end) const {
    const AxisWeights::Taps& last = axis_.taps[static_cast<size_t>(x_end - 1)];
    return last.first + last.count;
  }

  void ResampleBlock(int64_t y, int64_t x, int64_t x_end, uint8_t* window, uint8_t* block) const {
    const int64_t num_rows = std::min(kStripRows, source_.height - y);
    const int64_t window_first = axis_.taps[static_cast<size_t>(x)].first;
    const uint8_t* source_rows[kStripRows];
    uint8_t* out_rows[kStripRows];
    for (int64_t r = 0; r < kStripRows; ++r) {
      const int64_t row = y + std::min(r, num_rows - 1);  // a short strip repeats its last row
      source_rows[r] = source_.row(row) + window_first * kChannels;
      out_rows[r] = out_->row(row) + x * kChannels;
    }
    constexpr int64_t kPixelBytes = kChannels * kStripRows;
    TransposeRows(source_rows, (WindowEnd(x_end) - window_first) * kChannels, window);
    for (int64_t i = x; i < x_end; ++i) {
      const AxisWeights::Taps& taps = axis_.taps[static_cast<size_t>(i)];
      sum_(window + (taps.first - window_first) * kPixelBytes, kPixelBytes, axis_.WeightsOf(taps), taps.count,
           axis_.fraction_bits, block + (i - x) * kPixelBytes, kPixelBytes);
    }
    UntransposeRows(block, (x_end - x) * kChannels, num_rows, out_rows);
  }

  const RgbView& source_;
  const AxisWeights& axis_;
  WeightedSumFn sum_;
  RgbImage* out_;
  int64_t max_window_pixels_ = 0;
  int64_t max_block_pixels_ = 0;
};

RgbImage ResampleWidth(const RgbView& source, int64_t width, ResampleWeights precision, WeightedSumFn sum) {
  const AxisWeights axis = ComputeAxisWeights(source.width, width, precision);
  RgbImage out(ImageSize{width, source.height});
  const HorizontalPass pass(source, axis, sum, &out);
  ParallelFor(pass.num_strips(), Grain(kStripRows * kChannels * std::max(source.width, width)),
              [&](int64_t begin, int64_t end) { pass.Run(begin, end); });
  return out;
}

RgbImage ResampleHeight(const RgbView& source, int64_t height, ResampleWeights precision, WeightedSumFn sum) {
  const AxisWeights axis = ComputeAxisWeights(source.height, height, precision);
  RgbImage out(ImageSize{source.width, height});
  const int64_t row_bytes = source.width * kChannels;
  const int64_t rows_read = std::max<int64_t>(1, source.height / height);
  ParallelFor(height, Grain(row_bytes * rows_read), [&](int64_t begin, int64_t end) {
    for (int64_t y = begin; y < end; ++y) {
      const AxisWeights::Taps& taps = axis.taps[static_cast<size_t>(y)];
      sum(source.row(taps.first), source.stride_bytes, axis.WeightsOf(taps), taps.count, axis.fraction_bits, out.row(y),
          row_bytes);
    }
  });
  return out;
}

RgbImage Copy(const RgbView& source) {
  RgbImage out(source.size());
  for (int64_t y = 0; y < source.height; ++y) {
    std::memcpy(out.row(y), source.row(y), static_cast<size_t>(source.width * kChannels));
  }
  return out;
}

}  // namespace

RgbImage Resample(const RgbView& source, ImageSize target, ResampleWeights precision, const KernelContext& context) {
  CheckImage(source);
  if (target.width < 1 || target.height < 1) {
    throw ArgumentError("cannot resample to " + std::to_string(target.width) + "x" + std::to_string(target.height) +
                        " pixels");
  }
  const WeightedSumFn sum = SelectWeightedSum(context.isa);
  if (target.width == source.width && target.height == source.height) return Copy(source);
  if (target.width == source.width) return ResampleHeight(source, target.height, precision, sum);
  RgbImage wide = ResampleWidth(source, target.width, precision, sum);
  if (target.height == source.height) return wide;
  return ResampleHeight(wide.view(), target.height, precision, sum);
}

}  // namespace percept
