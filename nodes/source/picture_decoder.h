// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "encoders/vision/image.h"

namespace percept::nodes {

// An upright 8-bit RGB picture as the reference's loader makes it (spec vision 2.1): EXIF orientation applied, grey
// replicated, 16-bit samples shifted right by 8, palettes looked up, alpha dropped, CMYK converted without a profile.
struct DecodedPicture {
  RgbImage pixels;
  std::vector<std::string> repairs;  // what was changed on the way, for people: "turned upright (EXIF orientation 6)"
};

// Decodes JPEG, PNG, WebP, TIFF or GIF (the first page), told apart by content. The header's size is compared with
// `pixel_limit` before anything is decoded. Runs in the calling thread alone. Throws InputError with the reason (not
// the name) where the picture is missing, truncated, damaged or too large. A decoder's warning counts as damage unless
// it is known to be about metadata; such a one becomes a repair, "ignored: ...", as do further pages left unread.
DecodedPicture DecodePictureFile(const std::filesystem::path& file, int64_t pixel_limit);
DecodedPicture DecodePictureBytes(std::span<const std::byte> bytes, int64_t pixel_limit);

}  // namespace percept::nodes
