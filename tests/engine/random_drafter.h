// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>

#include "kernels/core/dtype.h"
#include "tests/support/temp_folder.h"

namespace percept {

// The drafter in `source` with random weights, in a folder of its own.
class RandomDrafter {
 public:
  RandomDrafter(const std::filesystem::path& source, uint32_t seed) {
    std::filesystem::copy_file(source / "config.json", folder_.path() / "config.json");
    std::stringstream file;
    file << std::ifstream(source / "model.safetensors", std::ios::binary).rdbuf();
    std::string bytes = file.str();
    uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
    const nlohmann::json header = nlohmann::json::parse(bytes.substr(sizeof(header_bytes), header_bytes));
    std::mt19937 random(seed);
    std::normal_distribution<float> values(0.0f, 0.2f);
    for (const auto& [name, entry] : header.items()) {
      if (entry.value("dtype", "") != "BF16") continue;
      const size_t data = sizeof(header_bytes) + header_bytes;
      const size_t end = data + entry.at("data_offsets").at(1).get<size_t>();
      for (size_t at = data + entry.at("data_offsets").at(0).get<size_t>(); at < end; at += sizeof(uint16_t)) {
        const uint16_t bits = FloatToBF16(values(random));
        std::memcpy(bytes.data() + at, &bits, sizeof(bits));
      }
    }
    folder_.Write("model.safetensors", bytes);
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  TempFolder folder_;
};

}  // namespace percept
