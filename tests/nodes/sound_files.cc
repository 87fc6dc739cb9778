// SPDX-License-Identifier: Apache-2.0
#include "tests/nodes/sound_files.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
}

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <stdexcept>

namespace percept::nodes {
namespace {

int Check(int result, const char* what) {
  if (result < 0) {
    throw std::runtime_error(std::string(what) + " failed");
  }
  return result;
}

template <typename Number>
void Append(std::string* bytes, Number number) {
  bytes->append(reinterpret_cast<const char*>(&number), sizeof(number));
}

// Writes one sample in the encoder's own format.
void Put(AVFrame* frame, int channel, int i, float value) {
  const auto format = static_cast<AVSampleFormat>(frame->format);
  const bool is_planar = av_sample_fmt_is_planar(format) != 0;
  uint8_t* plane = frame->extended_data[is_planar ? channel : 0];
  const int place = is_planar ? i : i * frame->ch_layout.nb_channels + channel;
  switch (av_get_packed_sample_fmt(format)) {
    case AV_SAMPLE_FMT_U8:
      plane[place] = static_cast<uint8_t>(std::lround(value * 128) + 128);
      break;
    case AV_SAMPLE_FMT_S16:
      reinterpret_cast<int16_t*>(plane)[place] = static_cast<int16_t>(std::lround(value * 32768));
      break;
    case AV_SAMPLE_FMT_S32:
      reinterpret_cast<int32_t*>(plane)[place] = static_cast<int32_t>(std::lround(value * 32768)) * 65536;
      break;
    case AV_SAMPLE_FMT_FLT:
      reinterpret_cast<float*>(plane)[place] = value;
      break;
    default:
      throw std::runtime_error("an encoder takes a format that this does not write");
  }
}

class Writer {
 public:
  Writer(const SoundFile& sound, const std::filesystem::path& file) : sound_(sound) {
    const AVCodec* codec = avcodec_find_encoder_by_name(sound.codec);
    if (codec == nullptr) {
      throw std::runtime_error(std::string(sound.codec) + ": no such encoder");
    }
    Check(avformat_alloc_output_context2(&container_, nullptr, sound.container, file.c_str()), "the container");
    encoder_ = avcodec_alloc_context3(codec);
    encoder_->sample_rate = sound.rate_hz;
    encoder_->time_base = {1, sound.rate_hz};
    encoder_->sample_fmt = codec->sample_fmts[0];
    encoder_->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    encoder_->bit_rate = std::strncmp(sound.codec, "pcm", 3) == 0 ? 0 : 128000;
    encoder_->thread_count = 1;
    Check(av_channel_layout_from_string(&encoder_->ch_layout, sound.layout), "the layout");
    if ((container_->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
      encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    }
    Check(avcodec_open2(encoder_, codec, nullptr), "the encoder");
    stream_ = avformat_new_stream(container_, nullptr);
    Check(avcodec_parameters_from_context(stream_->codecpar, encoder_), "the stream");
    stream_->time_base = encoder_->time_base;
    container_->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    container_->avoid_negative_ts = AVFMT_AVOID_NEG_TS_DISABLED;
    Check(avio_open(&container_->pb, file.c_str(), AVIO_FLAG_WRITE), "the file");
    Check(avformat_write_header(container_, nullptr), "the header");
  }
  ~Writer() {
    av_packet_free(&packet_);
    avcodec_free_context(&encoder_);
    avio_closep(&container_->pb);
    avformat_free_context(container_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void Write() {
    const int frame_size = encoder_->frame_size > 0 ? encoder_->frame_size : 1024;
    const auto num_samples = static_cast<int>(sound_.samples.size());
    for (int begin = 0; begin < num_samples; begin += frame_size) {
      AVFrame* frame = av_frame_alloc();
      frame->nb_samples = std::min(frame_size, num_samples - begin);
      frame->format = encoder_->sample_fmt;
      frame->sample_rate = sound_.rate_hz;
      frame->pts = begin;
      av_channel_layout_copy(&frame->ch_layout, &encoder_->ch_layout);
      Check(av_frame_get_buffer(frame, 0), "a frame");
      for (int channel = 0; channel < frame->ch_layout.nb_channels; ++channel) {
        for (int i = 0; i < frame->nb_samples; ++i) {
          Put(frame, channel, i, sound_.samples[static_cast<size_t>(begin) + static_cast<size_t>(i)]);
        }
      }
      Encode(frame);
      av_frame_free(&frame);
    }
    Encode(nullptr);
    Check(av_write_trailer(container_), "the trailer");
  }

 private:
  void Encode(const AVFrame* frame) {
    Check(avcodec_send_frame(encoder_, frame), "encoding");
    while (avcodec_receive_packet(encoder_, packet_) >= 0) {
      if (sound_.time_of) {
        packet_->pts = packet_->dts = sound_.time_of(packet_->pts);
      }
      if (sound_.is_garbage && sound_.is_garbage(num_packets_)) {
        Check(av_packet_make_writable(packet_), "a packet");
        std::memset(packet_->data, 0, static_cast<size_t>(packet_->size));
      }
      ++num_packets_;
      packet_->stream_index = 0;
      av_packet_rescale_ts(packet_, encoder_->time_base, stream_->time_base);
      Check(av_write_frame(container_, packet_), "writing");
    }
  }

  const SoundFile& sound_;
  AVFormatContext* container_ = nullptr;
  AVCodecContext* encoder_ = nullptr;
  AVStream* stream_ = nullptr;
  AVPacket* packet_ = av_packet_alloc();
  int num_packets_ = 0;
};

}  // namespace

std::vector<float> Sweep(int rate_hz, double seconds) {
  std::vector<float> samples(static_cast<size_t>(std::lround(rate_hz * seconds)));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / rate_hz;
    samples[i] = static_cast<float>(0.5 * std::min(1.0, t * 20) * std::sin(2 * std::numbers::pi * (300 + 400 * t) * t));
  }
  return samples;
}

std::string WavBytes(const std::vector<int16_t>& samples, int num_channels, int rate_hz,
                     std::optional<uint32_t> data_bytes) {
  const auto num_bytes = static_cast<uint32_t>(samples.size() * sizeof(int16_t));
  std::string bytes = "RIFF";
  Append(&bytes, uint32_t{36} + data_bytes.value_or(num_bytes));
  bytes += "WAVEfmt ";
  Append(&bytes, uint32_t{16});
  Append(&bytes, uint16_t{1});
  Append(&bytes, static_cast<uint16_t>(num_channels));
  Append(&bytes, static_cast<uint32_t>(rate_hz));
  Append(&bytes, static_cast<uint32_t>(rate_hz * num_channels * 2));
  Append(&bytes, static_cast<uint16_t>(num_channels * 2));
  Append(&bytes, uint16_t{16});
  bytes += "data";
  Append(&bytes, data_bytes.value_or(num_bytes));
  bytes.append(reinterpret_cast<const char*>(samples.data()), num_bytes);
  return bytes;
}

std::vector<int16_t> SixteenBits(const std::vector<float>& samples, int num_channels) {
  std::vector<int16_t> bits;
  bits.reserve(samples.size() * static_cast<size_t>(num_channels));
  for (const float sample : samples) {
    bits.insert(bits.end(), static_cast<size_t>(num_channels), static_cast<int16_t>(std::lround(sample * 32768)));
  }
  return bits;
}

void WriteSound(const SoundFile& sound, const std::filesystem::path& file) { Writer(sound, file).Write(); }

}  // namespace percept::nodes
