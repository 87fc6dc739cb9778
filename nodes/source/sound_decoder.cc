// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/sound_decoder.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/core/error.h"
#include "nodes/source/av_input.h"
#include "nodes/source/ffmpeg_remarks.h"
#include "nodes/source/local_file.h"
#include "nodes/source/mono_track.h"

namespace percept::nodes {
namespace {

constexpr AVRational kNanosecond = {1, 1'000'000'000};
constexpr int64_t kMaxTime_ns = int64_t{1} << 61;
constexpr int64_t kStatedSlack_ns = 100'000'000;  // containers round the length that they state
constexpr int kMaxReadErrors = 16;                // in a row

struct FreeAv {
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
  void operator()(AVFormatContext* context) const { avformat_close_input(&context); }
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
template <typename T>
using AvPtr = std::unique_ptr<T, FreeAv>;

template <typename T>
AvPtr<T> Made(T* made) {
  if (made == nullptr) {
    throw std::bad_alloc();
  }
  return AvPtr<T>(made);
}

// A playlist may name other files, and addresses on the network.
int RefuseOtherFile(AVFormatContext* /*context*/, AVIOContext** /*file*/, const char* /*url*/, int /*flags*/,
                    AVDictionary** /*options*/) {
  return AVERROR(EACCES);
}

std::optional<int64_t> Time_ns(int64_t time, AVRational time_base) {
  const int64_t time_ns = time == AV_NOPTS_VALUE ? time : av_rescale_q(time, time_base, kNanosecond);
  if (time_ns < -kMaxTime_ns || time_ns > kMaxTime_ns) {  // AV_NOPTS_VALUE lies below
    return std::nullopt;
  }
  return time_ns;
}

std::string LengthText(int64_t length_ns) {
  return ClipLengthText(av_rescale(length_ns, kSoundRate_hz, kNanosecond.den));
}

// From a container to decoded frames of its best stream of sound.
class SoundReader {
 public:
  // The input outlives it.
  SoundReader(const AvInput& input, std::function<bool()> cancelled) : cancelled_(std::move(cancelled)) {
    OpenContainer(input);
    OpenDecoder();
  }

  // The next frame, valid until the next call; null at the end.
  const AVFrame* Next();
  std::optional<int64_t> frame_time_ns() const { return Time_ns(frame_->best_effort_timestamp, stream_->time_base); }
  // Goes through the rest of the file.
  void SkipToEnd();

  const char* codec_name() const { return avcodec_get_name(decoder_->codec_id); }
  int64_t num_lost_packets() const { return num_lost_packets_; }
  // How long the sound is that was read.
  int64_t read_ns() const { return first_ns_ ? end_ns_ - *first_ns_ : 0; }
  // How long it is as the file says.
  std::optional<int64_t> stated_ns() const;
  // Throws InputError where reading ended before the end that the file states.
  void RequireWhole() const;

 private:
  void OpenContainer(const AvInput& input);
  void NoteStatedLengths();
  void OpenDecoder();
  std::string Contents() const;
  // The next packet of the stream; false at the end.
  bool ReadPacket();
  void NoteTimes();

  const std::function<bool()> cancelled_;
  FFmpegRemarks remarks_;
  AvPtr<AVFormatContext> container_;
  std::optional<std::string> what_is_cut_;
  std::vector<std::optional<int64_t>> stated_lengths_;  // of the streams that the header names
  AVStream* stream_ = nullptr;
  AvPtr<AVCodecContext> decoder_;
  const AvPtr<AVPacket> packet_ = Made(av_packet_alloc());
  const AvPtr<AVFrame> frame_ = Made(av_frame_alloc());
  bool is_drained_ = false;
  int64_t num_lost_packets_ = 0;
  std::optional<int64_t> first_ns_;
  int64_t end_ns_ = 0;
  int read_error_ = 0;  // that reading ended with
};

void SoundReader::OpenContainer(const AvInput& input) {
  what_is_cut_ = input.WhatIsCut();
  AVFormatContext* container = avformat_alloc_context();
  if (container == nullptr) {
    throw std::bad_alloc();
  }
  container->pb = input.context();
  container->flags |= AVFMT_FLAG_CUSTOM_IO;
  container->io_open = RefuseOtherFile;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "none", 0);  // for what opens files by another way than io_open
  // No name: a file is what it holds. Frees the container where it fails.
  int error = avformat_open_input(&container, nullptr, nullptr, &options);
  av_dict_free(&options);
  if (error >= 0) {
    container_.reset(container);
    NoteStatedLengths();
    error = avformat_find_stream_info(container, nullptr);
  }
  if (error < 0) {
    throw InputError(remarks_.Explain("no sound that can be read: " + AvErrorText(error)));
  }
}

// "video (png)"
std::string SoundReader::Contents() const {
  std::string contents;
  for (unsigned i = 0; i < container_->nb_streams; ++i) {
    const AVCodecParameters& stream = *container_->streams[i]->codecpar;
    const char* kind = av_get_media_type_string(stream.codec_type);
    contents += (contents.empty() ? "" : ", ") + std::string(kind == nullptr ? "something else" : kind) + " (" +
                avcodec_get_name(stream.codec_id) + ")";
  }
  return contents.empty() ? "nothing" : contents;
}

void SoundReader::OpenDecoder() {
  const AVCodec* codec = nullptr;
  const int stream = av_find_best_stream(container_.get(), AVMEDIA_TYPE_AUDIO, -1, -1, &codec, 0);
  if (stream == AVERROR_DECODER_NOT_FOUND) {
    throw InputError("its sound cannot be decoded by this FFmpeg: it holds " + Contents());
  }
  if (stream < 0) {
    throw InputError("no sound in it: it holds " + Contents());
  }
  for (unsigned i = 0; i < container_->nb_streams; ++i) {
    container_->streams[i]->discard = static_cast<int>(i) == stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
  stream_ = container_->streams[stream];
  decoder_ = Made(avcodec_alloc_context3(codec));
  int error = avcodec_parameters_to_context(decoder_.get(), stream_->codecpar);
  if (error >= 0) {
    decoder_->pkt_timebase = stream_->time_base;
    decoder_->thread_count = 1;
    error = avcodec_open2(decoder_.get(), codec, nullptr);
  }
  if (error < 0) {
    throw InputError(
        remarks_.Explain(std::string("its sound (") + codec->name + ") cannot be decoded: " + AvErrorText(error)));
  }
}

// What the header says: later, FFmpeg puts estimates in its place.
void SoundReader::NoteStatedLengths() {
  for (unsigned i = 0; i < container_->nb_streams; ++i) {
    std::optional<int64_t> length = Time_ns(container_->streams[i]->duration, container_->streams[i]->time_base);
    if (!length && container_->nb_streams == 1) {  // else it may be that of the pictures
      length = Time_ns(container_->duration, AV_TIME_BASE_Q);
    }
    stated_lengths_.push_back(length);
  }
}

std::optional<int64_t> SoundReader::stated_ns() const {
  const auto stream = static_cast<size_t>(stream_->index);
  return stream < stated_lengths_.size() ? stated_lengths_[stream] : std::nullopt;
}

void SoundReader::RequireWhole() const {
  if (what_is_cut_) {
    throw InputError("truncated: it ends after " + LengthText(read_ns()) + ", " + *what_is_cut_);
  }
  const std::optional<int64_t> stated = stated_ns();
  // Some containers count from their zero, others from the first sample.
  if (stated && *stated - std::max(read_ns(), end_ns_) > kStatedSlack_ns) {
    throw InputError(remarks_.Explain("truncated: it ends after " + LengthText(read_ns()) + " of the " +
                                      LengthText(*stated) + " that it states"));
  }
  if (read_error_ < 0) {
    throw InputError(remarks_.Explain("damaged: it cannot be read beyond " + LengthText(read_ns()) + ": " +
                                      AvErrorText(read_error_)));
  }
}

void SoundReader::NoteTimes() {
  const int64_t time = packet_->pts != AV_NOPTS_VALUE ? packet_->pts : packet_->dts;
  if (const std::optional<int64_t> begin = Time_ns(time, stream_->time_base)) {
    first_ns_ = std::min(first_ns_.value_or(*begin), *begin);
    end_ns_ =
        std::max(first_ns_ ? end_ns_ : *begin, *begin + Time_ns(packet_->duration, stream_->time_base).value_or(0));
  }
}

bool SoundReader::ReadPacket() {
  for (int num_errors = 0;;) {
    if (cancelled_ && cancelled_()) {
      throw InputError("cancelled");
    }
    av_packet_unref(packet_.get());
    const int error = av_read_frame(container_.get(), packet_.get());
    if (error >= 0 && packet_->stream_index == stream_->index) {
      NoteTimes();
      return true;
    }
    if (error == AVERROR_EOF || num_errors == kMaxReadErrors) {
      read_error_ = num_errors == kMaxReadErrors ? error : 0;
      return false;
    }
    // Some containers go on behind what they cannot read.
    num_errors = error < 0 ? num_errors + 1 : 0;
  }
}

const AVFrame* SoundReader::Next() {
  for (;;) {
    const int received = avcodec_receive_frame(decoder_.get(), frame_.get());
    if (received >= 0) {
      return frame_.get();
    }
    if (received == AVERROR(ENOMEM)) {
      throw std::bad_alloc();
    }
    if (received == AVERROR_EOF || is_drained_) {
      return nullptr;
    }
    num_lost_packets_ += received == AVERROR(EAGAIN) ? 0 : 1;
    is_drained_ = !ReadPacket();
    const int sent = avcodec_send_packet(decoder_.get(), is_drained_ ? nullptr : packet_.get());
    if (sent == AVERROR(ENOMEM)) {
      throw std::bad_alloc();
    }
    num_lost_packets_ += sent < 0 && !is_drained_ ? 1 : 0;
  }
}

void SoundReader::SkipToEnd() {
  while (ReadPacket()) {
  }
}

[[noreturn]] void ThrowTooLong(int64_t length_ns, int64_t sample_limit) {
  throw InputError(LengthText(length_ns) + " of sound, more than the limit of " + ClipLengthText(sample_limit));
}

// Throws where a file says itself that it is too long.
void RequireShort(const SoundReader& reader, int64_t sample_limit) {
  const std::optional<int64_t> stated = reader.stated_ns();
  if (stated && av_rescale(*stated - kStatedSlack_ns, kSoundRate_hz, kNanosecond.den) > sample_limit) {
    ThrowTooLong(*stated, sample_limit);
  }
}

void NoteForm(const AVFrame& frame, SoundOrigin* origin) {
  std::array<char, 64> layout{};
  AVChannelLayout channels = frame.ch_layout;
  if (channels.order == AV_CHANNEL_ORDER_UNSPEC && channels.nb_channels <= 2) {
    av_channel_layout_default(&channels, channels.nb_channels);
  }
  av_channel_layout_describe(&channels, layout.data(), layout.size());
  origin->rate_hz = frame.sample_rate;
  origin->channels = layout.data();
}

AudioChunk Decode(const AvInput& input, int64_t sample_limit, const std::function<bool()>& cancelled) {
  const auto start = std::chrono::steady_clock::now();
  SoundReader reader(input, cancelled);
  RequireShort(reader, sample_limit);
  AudioChunk chunk;
  MonoTrack track(sample_limit);
  while (const AVFrame* frame = reader.Next()) {
    if (chunk.origin.rate_hz == 0) {
      NoteForm(*frame, &chunk.origin);
    }
    track.Add(*frame, reader.frame_time_ns());
    if (track.is_full()) {
      reader.SkipToEnd();
      break;
    }
  }
  track.Finish();
  if (track.is_full()) {
    ThrowTooLong(reader.read_ns(), sample_limit);
  }
  reader.RequireWhole();
  chunk.samples = track.TakeSamples();
  if (chunk.samples.empty()) {
    throw InputError("no samples in its sound" + std::string(reader.num_lost_packets() > 0 ? " can be decoded" : ""));
  }
  chunk.origin.codec = reader.codec_name();
  chunk.origin.start = graph::Duration::Nanoseconds(track.start_ns());
  chunk.origin.num_gaps = track.num_gaps();
  chunk.origin.gap_time = graph::Duration::Nanoseconds(track.gap_ns());
  chunk.origin.num_overlaps = track.num_overlaps();
  chunk.origin.num_lost_packets = reader.num_lost_packets();
  chunk.origin.decode_time = std::chrono::steady_clock::now() - start;
  return chunk;
}

}  // namespace

AudioChunk DecodeSoundFile(const std::filesystem::path& file, int64_t sample_limit,
                           const std::function<bool()>& cancelled) {
  RequireLocalFile(file, "sound", "give it on standard input, named -");
  return Decode(AvInput(file), sample_limit, cancelled);
}

AudioChunk DecodeSoundBytes(std::span<const std::byte> bytes, int64_t sample_limit,
                            const std::function<bool()>& cancelled) {
  if (bytes.empty()) {
    throw InputError("empty");
  }
  return Decode(AvInput(bytes), sample_limit, cancelled);
}

}  // namespace percept::nodes
