// SPDX-License-Identifier: Apache-2.0
#include "encoders/audio/log_mel.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/core/check.h"
#include "kernels/cpu/threads.h"

namespace percept {
namespace {

constexpr double kMelFloor = 1e-3;

double MelOf(double frequency_hz) { return 2595 * std::log10(1 + frequency_hz / 700); }
double FrequencyOf(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

}  // namespace

LogMel::LogMel() : filters_(MelFilters()) {
  for (size_t k = 0; k < window_.size(); ++k) {
    window_[k] = static_cast<float>(0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(k) / kWindow));
  }
}

// Triangles between neighbours of 130 edges that lie equally far apart in mels; none is scaled by its area.
std::vector<LogMel::Filter> LogMel::MelFilters() {
  constexpr double kBinWidth_hz = static_cast<double>(kSampleRate_hz) / Spectrum::kSize;
  const double mel_step = MelOf(kSampleRate_hz / 2.0) / (kMelBins + 1);
  std::vector<Filter> filters(kMelBins);
  for (int64_t m = 0; m < kMelBins; ++m) {
    const double low = FrequencyOf(mel_step * static_cast<double>(m));
    const double peak = FrequencyOf(mel_step * static_cast<double>(m + 1));
    const double high = FrequencyOf(mel_step * static_cast<double>(m + 2));
    Filter& filter = filters[static_cast<size_t>(m)];
    for (int64_t bin = 0; bin < Spectrum::kBins; ++bin) {
      const double frequency = kBinWidth_hz * static_cast<double>(bin);
      const double weight = std::min((frequency - low) / (peak - low), (high - frequency) / (high - peak));
      if (weight <= 0) continue;
      if (filter.weights.empty()) filter.first_bin = bin;
      filter.weights.push_back(weight);
    }
  }
  return filters;
}

// A frame exists where the sample after its window does; the first half of the first window lies before the clip.
int64_t LogMel::NumFrames(int64_t num_samples) { return num_samples <= kHop ? 0 : (num_samples - 1) / kHop; }

void LogMel::CutWindow(std::span<const float> samples, int64_t frame, double* windowed) const {
  const int64_t begin = (frame - 1) * kHop;
  for (int64_t k = 0; k < kWindow; ++k) {
    const int64_t at = begin + k;
    windowed[k] = at < 0 ? 0 : double{samples[static_cast<size_t>(at)] * window_[static_cast<size_t>(k)]};
  }
}

void LogMel::WriteFrame(std::span<const double> magnitudes, float* log_mel) const {
  for (const Filter& filter : filters_) {
    double sum = kMelFloor;
    for (size_t i = 0; i < filter.weights.size(); ++i) {
      sum += magnitudes[static_cast<size_t>(filter.first_bin) + i] * filter.weights[i];
    }
    *log_mel++ = static_cast<float>(std::log(sum));
  }
}

void LogMel::Compute(std::span<const float> samples, MatrixView frames) const {
  PERCEPT_CHECK(frames.rows == NumFrames(static_cast<int64_t>(samples.size())) && frames.cols == kMelBins);
  constexpr int64_t kMinFrames = 16;
  ParallelFor(frames.rows, kMinFrames, [&](int64_t begin, int64_t end) {
    Spectrum::Values windowed{};  // beyond the window: zeros
    Spectrum::Magnitudes magnitudes;
    for (int64_t frame = begin; frame < end; ++frame) {
      CutWindow(samples, frame, windowed.data());
      spectrum_.Compute(windowed, &magnitudes);
      WriteFrame(magnitudes, frames.row(frame));
    }
  });
}

}  // namespace percept
