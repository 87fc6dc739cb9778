// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

namespace percept {

// The samples of a mono WAV file of the goldens: 16 bit, the data after a header of 44 bytes.
inline std::vector<float> ReadWav(const std::filesystem::path& file) {
  constexpr int64_t kHeaderBytes = 44;
  std::ifstream stream(file, std::ios::binary);
  std::vector<int16_t> values((std::filesystem::file_size(file) - kHeaderBytes) / sizeof(int16_t));
  stream.seekg(kHeaderBytes);
  stream.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(int16_t)));
  if (!stream) throw std::runtime_error("cannot read " + file.string());
  std::vector<float> samples;
  samples.reserve(values.size());
  for (const int16_t value : values) samples.push_back(static_cast<float>(value) / 32768.0F);
  return samples;
}

}  // namespace percept
