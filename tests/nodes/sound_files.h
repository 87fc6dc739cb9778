// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace percept::nodes {

// A tone that starts softly and changes its pitch, so that no two stretches of it look alike. -0.5..0.5.
std::vector<float> Sweep(int rate_hz, double seconds);

// A WAV file of 16-bit samples, one channel after the other in each. `data_bytes` is what the header states, if not the
// truth.
std::string WavBytes(const std::vector<int16_t>& samples, int num_channels, int rate_hz,
                     std::optional<uint32_t> data_bytes = {});
// Each sample in all channels.
std::vector<int16_t> SixteenBits(const std::vector<float>& samples, int num_channels = 1);

// A file that FFmpeg writes. What the test wants wrong with it is done to its packets.
struct SoundFile {
  const char* container;  // "matroska"
  const char* codec;      // "flac"
  int rate_hz;
  const char* layout = "mono";
  std::vector<float> samples = {};  // of each channel
  // The time of a packet, in samples, from the time it would have.
  std::function<int64_t(int64_t)> time_of = {};
  // Of packets counted from 0: whether to write garbage in its place.
  std::function<bool(int)> is_garbage = {};
};
void WriteSound(const SoundFile& sound, const std::filesystem::path& file);

}  // namespace percept::nodes
