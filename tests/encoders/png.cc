// SPDX-License-Identifier: Apache-2.0
#include "tests/encoders/png.h"

#include <png.h>
#include <zlib.h>

#include <cstdio>
#include <stdexcept>

TestImage ReadPng(const std::filesystem::path& path) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_file(&png, path.c_str()) == 0) {
    throw std::runtime_error(path.string() + ": " + png.message);
  }
  png.format = PNG_FORMAT_RGBA;
  std::vector<uint8_t> rgba(PNG_IMAGE_SIZE(png));
  if (png_image_finish_read(&png, nullptr, rgba.data(), 0, nullptr) == 0) {
    throw std::runtime_error(path.string() + ": " + png.message);
  }
  TestImage image;
  image.width = png.width;
  image.height = png.height;
  for (size_t i = 0; i < rgba.size(); i += 4) image.rgb.insert(image.rgb.end(), &rgba[i], &rgba[i] + 3);
  return image;
}

std::string Crc32Hex(const void* bytes, size_t size_bytes) {
  char text[9];
  const uLong crc = crc32_z(0, static_cast<const Bytef*>(bytes), size_bytes);
  std::snprintf(text, sizeof(text), "%08lx", crc);
  return text;
}

std::string Crc32Hex(const percept::RgbImage& image) { return Crc32Hex(image.view().pixels, image.size_bytes()); }
