// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "encoders/vision/image.h"
#include "graph/packet/payload.h"

namespace percept::nodes {

// An upright 8-bit RGB picture.
struct Image {
  RgbView pixels;
  std::shared_ptr<const void> owner;  // of the pixels' memory
  std::string source;                 // file, as the source was given it
  size_t num_in_source = 1;           // pictures that the source reads in all
  std::vector<std::string> repairs;   // what was changed when it was read, for people
  std::chrono::nanoseconds decode_time{};
};

}  // namespace percept::nodes

template <>
struct percept::graph::PayloadTraits<percept::nodes::Image> {
  static constexpr const char* kName = "Image";
  static size_t Bytes(const percept::nodes::Image& image) {
    return sizeof(image) + static_cast<size_t>(image.pixels.stride_bytes * image.pixels.height);
  }
};
