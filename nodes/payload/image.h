// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
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

// A picture in the caller's own buffer, without a copy: `release` is called once, on any thread, when nothing reads the
// pixels any more; until then they stay as they are. `source` is a name for records.
inline Image WrapPixels(const RgbView& pixels, std::function<void()> release, std::string source = "") {
  Image image;
  image.pixels = pixels;
  image.owner = std::shared_ptr<const void>(pixels.pixels, [release = std::move(release)](const void*) { release(); });
  image.source = std::move(source);
  return image;
}

}  // namespace percept::nodes

template <>
struct percept::graph::PayloadTraits<percept::nodes::Image> {
  static constexpr const char* kName = "Image";
  static size_t Bytes(const percept::nodes::Image& image) {
    return sizeof(image) + static_cast<size_t>(image.pixels.stride_bytes * image.pixels.height);
  }
};
