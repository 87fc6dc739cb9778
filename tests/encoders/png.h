// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "encoders/vision/image.h"

// A picture a test holds; the pixels are the file's, alpha dropped, no colour management.
struct TestImage {
  int64_t width = 0;
  int64_t height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]

  percept::RgbView view() const { return {rgb.data(), width, height, 3 * width}; }
};

TestImage ReadPng(const std::filesystem::path& path);

// As the goldens write it: eight hexadecimal digits.
std::string Crc32Hex(const void* bytes, size_t size_bytes);
std::string Crc32Hex(const percept::RgbImage& image);
