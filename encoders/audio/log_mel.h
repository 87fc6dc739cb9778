// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "encoders/audio/spectrum.h"
#include "kernels/core/tensor.h"

namespace percept {

inline constexpr int64_t kSampleRate_hz = 16000;
inline constexpr int64_t kMelBins = 128;

// Log-mel frames of a clip, one every 10 ms (spec audio 3). Const after construction; any thread.
class LogMel {
 public:
  LogMel();

  // Of a clip of so many samples; 0 up to 160.
  static int64_t NumFrames(int64_t num_samples);

  // samples: 16 kHz, -1..1; frames: [NumFrames(samples.size()), 128].
  void Compute(std::span<const float> samples, MatrixView frames) const;

 private:
  static constexpr int64_t kHop = 160;
  static constexpr int64_t kWindow = 320;

  // The bins of a spectrum that a filter weighs.
  struct Filter {
    int64_t first_bin = 0;
    std::vector<double> weights;
  };

  static std::vector<Filter> MelFilters();
  void CutWindow(std::span<const float> samples, int64_t frame, double* windowed) const;
  void WriteFrame(std::span<const double> magnitudes, float* log_mel) const;

  Spectrum spectrum_;
  std::array<float, kWindow> window_{};
  std::vector<Filter> filters_;  // one per mel bin
};

}  // namespace percept
