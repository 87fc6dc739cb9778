// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/mono_track.h"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/frame.h>
#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
}

#include <algorithm>
#include <string>
#include <utility>

#include "engine/sound.h"
#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

constexpr int64_t kSecond_ns = 1'000'000'000;
constexpr int64_t kLeastJump_ns = 10'000'000;
constexpr double kHighQuality_bits = 20;  // soxr's "HQ"

int64_t Nanoseconds(int64_t num_samples, int rate_hz) { return av_rescale(num_samples, kSecond_ns, rate_hz); }

}  // namespace

// Converts frames of one form.
class MonoTrack::Converter {
 public:
  explicit Converter(const AVFrame& frame)
      : rate_hz_(frame.sample_rate), format_(static_cast<AVSampleFormat>(frame.format)) {
    if (av_channel_layout_copy(&layout_, &frame.ch_layout) < 0) {
      throw std::bad_alloc();
    }
    try {
      Open();
    } catch (...) {
      Close();
      throw;
    }
  }
  ~Converter() { Close(); }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  int rate_hz() const { return rate_hz_; }
  bool Takes(const AVFrame& frame) const {
    return frame.sample_rate == rate_hz_ && frame.format == format_ &&
           av_channel_layout_compare(&frame.ch_layout, &layout_) == 0;
  }

  void Convert(const AVFrame& frame, std::vector<float>* samples) const {
    Run(const_cast<const uint8_t**>(frame.extended_data), frame.nb_samples, samples);
  }
  // What the resampler still holds.
  void Drain(std::vector<float>* samples) const {
    while (Run(nullptr, 0, samples) > 0) {
    }
  }

 private:
  static constexpr int kDrainSamples = 4096;

  void Open() {
    AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
    if (swr_alloc_set_opts2(&context_, &mono, AV_SAMPLE_FMT_FLT, kSoundRate_hz, &layout_, format_, rate_hz_, 0,
                            nullptr) < 0) {
      throw InputError("its sound has a form that cannot be converted");
    }
    av_opt_set_sample_fmt(context_, "internal_sample_fmt", AV_SAMPLE_FMT_FLTP, 0);
    av_opt_set_double(context_, "rematrix_maxval", 1, 0);  // weights that add up to 1 at most: an average
    if (layout_.order == AV_CHANNEL_ORDER_UNSPEC) {
      const std::vector<double> average(static_cast<size_t>(layout_.nb_channels), 1.0 / layout_.nb_channels);
      swr_set_matrix(context_, average.data(), layout_.nb_channels);
    }
    if (rate_hz_ != kSoundRate_hz && (av_opt_set_int(context_, "resampler", SWR_ENGINE_SOXR, 0) < 0 ||
                                      av_opt_set_double(context_, "precision", kHighQuality_bits, 0) < 0)) {
      throw Error("this libswresample has no soxr");
    }
    if (swr_init(context_) < 0) {
      throw InputError("its sound, " + std::to_string(layout_.nb_channels) + " channels of " +
                       std::to_string(rate_hz_) + " Hz, cannot be converted");
    }
  }

  void Close() {
    swr_free(&context_);
    av_channel_layout_uninit(&layout_);
  }

  int Run(const uint8_t** in, int num_in, std::vector<float>* samples) const {
    const size_t size = samples->size();
    const int room = std::max(swr_get_out_samples(context_, num_in), kDrainSamples);
    samples->resize(size + static_cast<size_t>(room));
    auto* out = reinterpret_cast<uint8_t*>(samples->data() + size);
    const int num_out = swr_convert(context_, &out, room, in, num_in);
    samples->resize(size + static_cast<size_t>(std::max(num_out, 0)));
    if (num_out < 0) {
      throw InputError("its sound cannot be converted");
    }
    return num_out;
  }

  const int rate_hz_;
  const AVSampleFormat format_;
  AVChannelLayout layout_{};
  SwrContext* context_ = nullptr;
};

MonoTrack::MonoTrack(int64_t sample_limit) : sample_limit_(sample_limit) {}
MonoTrack::~MonoTrack() = default;

int64_t MonoTrack::end_ns() const {
  return stretch_start_ns_ + (converter_ ? Nanoseconds(num_stretch_samples_, converter_->rate_hz()) : 0);
}

void MonoTrack::CheckLimit() { is_full_ = is_full_ || static_cast<int64_t>(samples_.size()) > sample_limit_; }

void MonoTrack::StartStretch(const AVFrame& frame, int64_t time_ns) {
  if (converter_) {
    converter_->Drain(&samples_);
  }
  const int64_t place = av_rescale(time_ns - *start_ns_, kSoundRate_hz, kSecond_ns);
  if (place > sample_limit_) {
    is_full_ = true;
    return;
  }
  samples_.resize(std::max(samples_.size(), static_cast<size_t>(place)));
  converter_ = std::make_unique<Converter>(frame);
  stretch_start_ns_ = time_ns;
  num_stretch_samples_ = 0;
}

int64_t MonoTrack::PlaceOf(const AVFrame& frame, int64_t time_ns) {
  const int64_t jump_ns = time_ns + shift_ns_ - end_ns();
  const int64_t least_ns = std::max(kLeastJump_ns, Nanoseconds(frame.nb_samples, frame.sample_rate) / 2);
  if (jump_ns < -least_ns) {
    ++num_overlaps_;
    shift_ns_ -= jump_ns;
  }
  if (jump_ns <= least_ns) {
    return end_ns();
  }
  ++num_gaps_;
  gap_ns_ += jump_ns;
  return end_ns() + jump_ns;
}

void MonoTrack::Add(const AVFrame& frame, std::optional<int64_t> time_ns) {
  if (is_full_ || frame.nb_samples < 1) {
    return;
  }
  if (frame.sample_rate < 1 || frame.ch_layout.nb_channels < 1) {
    throw InputError("its sound has no sample rate or no channels");
  }
  if (!start_ns_) {
    start_ns_ = time_ns.value_or(0);
    stretch_start_ns_ = *start_ns_;
  }
  const int64_t place_ns = time_ns ? PlaceOf(frame, *time_ns) : end_ns();
  if (!converter_ || !converter_->Takes(frame) || place_ns != end_ns()) {
    StartStretch(frame, place_ns);
  }
  if (!is_full_) {
    converter_->Convert(frame, &samples_);
    num_stretch_samples_ += frame.nb_samples;
    CheckLimit();
  }
}

void MonoTrack::Finish() {
  if (converter_ && !is_full_) {
    converter_->Drain(&samples_);
    CheckLimit();
  }
}

}  // namespace percept::nodes
