// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

struct AVFrame;

namespace percept::nodes {

// Puts decoded frames of sound at their times on one line of 16 kHz mono samples. Channels are mixed by their layout
// (of stereo, the average; of channels without a layout too); the resampler is soxr's, high quality, as the
// reference's.
class MonoTrack {
 public:
  explicit MonoTrack(int64_t sample_limit);
  ~MonoTrack();
  MonoTrack(const MonoTrack&) = delete;
  MonoTrack& operator=(const MonoTrack&) = delete;

  // `time_ns` is that of the frame's first sample; without one it follows the frame before. A time later than the end
  // of that frame leaves a gap of silence, an earlier one is passed over; either counts from half a frame on, and from
  // 10 ms. Throws InputError where a frame cannot be converted, Error where this FFmpeg has no soxr.
  void Add(const AVFrame& frame, std::optional<int64_t> time_ns);
  // After the last frame.
  void Finish();

  // More samples came than the limit; further ones are not looked at.
  bool is_full() const { return is_full_; }
  int64_t start_ns() const { return start_ns_.value_or(0); }
  int64_t num_gaps() const { return num_gaps_; }
  int64_t gap_ns() const { return gap_ns_; }
  int64_t num_overlaps() const { return num_overlaps_; }
  std::vector<float> TakeSamples() { return std::move(samples_); }

 private:
  class Converter;

  // Where what came so far ends, in the time of the frames.
  int64_t end_ns() const;
  // Ends the stretch that is converted without a break; the next one begins at this time.
  void StartStretch(const AVFrame& frame, int64_t time_ns);
  int64_t PlaceOf(const AVFrame& frame, int64_t time_ns);
  void CheckLimit();

  const int64_t sample_limit_;
  std::vector<float> samples_;
  bool is_full_ = false;
  std::optional<int64_t> start_ns_;
  int64_t shift_ns_ = 0;  // from the frames' times to the line's, after steps back
  int64_t num_gaps_ = 0, gap_ns_ = 0, num_overlaps_ = 0;
  std::unique_ptr<Converter> converter_;  // of the stretch
  int64_t stretch_start_ns_ = 0;
  int64_t num_stretch_samples_ = 0;  // at the frames' rate
};

}  // namespace percept::nodes
