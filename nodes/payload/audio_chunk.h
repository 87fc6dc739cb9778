// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/sound.h"
#include "graph/packet/payload.h"
#include "graph/packet/time.h"

namespace percept::nodes {

// Where sound comes from, and what was found on the way.
struct SoundOrigin {
  std::string source;        // file, as the source was given it
  size_t num_in_source = 1;  // clips that the source reads in all
  std::string codec;         // as FFmpeg calls it: "pcm_s16le", "aac"
  int rate_hz = 0;           // before it was resampled
  std::string channels;      // before they were mixed: "mono", "stereo", "5.1", "6 channels" where no layout is told
  graph::Duration start;     // of the first sample, in the file's own time
  int64_t num_gaps = 0;      // places where the file's times leave something out
  graph::Duration gap_time;  // filled with silence there
  int64_t num_overlaps = 0;  // places where its times step back; the sound goes on without a break there
  int64_t num_lost_packets = 0;  // that could not be decoded
  std::chrono::nanoseconds decode_time{};
};

// A piece of sound.
struct AudioChunk {
  std::vector<float> samples;   // mono, -1..1
  int rate_hz = kSoundRate_hz;  // samples a second
  SoundOrigin origin;

  graph::Duration duration() const {
    return graph::Duration::Nanoseconds(static_cast<int64_t>(samples.size()) * 1'000'000'000 / rate_hz);
  }
};

}  // namespace percept::nodes

template <>
struct percept::graph::PayloadTraits<percept::nodes::AudioChunk> {
  static constexpr const char* kName = "AudioChunk";
  static size_t Bytes(const percept::nodes::AudioChunk& chunk) {
    return sizeof(chunk) + chunk.samples.size() * sizeof(float);
  }
};
