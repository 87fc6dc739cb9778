// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/picture_remarks.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace percept::nodes {
namespace {

// libjpeg's "Corrupt JPEG data: 4 extraneous bytes before marker 0xe0" where the marker opens a segment of the header.
// Before another one the bytes may be what a damaged scan left over.
bool IsJunkInJpegHeader(std::string_view line) {
  constexpr std::string_view kBefore = " extraneous bytes before marker 0x";
  constexpr std::array<std::string_view, 5> kHeaderMarkers = {"c0", "c1", "c2", "db", "fe"};
  if (!line.starts_with("VipsJpeg: Corrupt JPEG data: ") || line.find(kBefore) == std::string_view::npos) {
    return false;
  }
  const std::string_view marker = line.substr(line.find(kBefore) + kBefore.size());
  return (marker.size() == 2 && marker.starts_with('e')) ||
         std::find(kHeaderMarkers.begin(), kHeaderMarkers.end(), marker) != kHeaderMarkers.end();
}

}  // namespace

bool IsHarmless(std::string_view line) {
  constexpr std::array<std::string_view, 9> kPngChunks = {
      "iCCP: ", "sRGB: ", "gAMA: ", "cHRM: ", "pHYs: ", "tIME: ", "tEXt: ", "zTXt: ", "iTXt: "};
  const auto opens_line = [&](std::string_view start) { return line.starts_with(start); };
  return std::any_of(kPngChunks.begin(), kPngChunks.end(), opens_line) || IsJunkInJpegHeader(line) ||
         opens_line("VipsJpeg: Warning: unknown JFIF revision number ") || line == kOneJpegWarning ||
         (opens_line("Unknown field with tag ") && line.ends_with(" encountered"));
}

bool MeansTruncated(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array kSigns = {"premature end", "not enough data", "unexpected end", "end of file",
                                 "end-of-file",   "truncated",       "unexpected eof", "read error at scanline"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](const char* sign) { return text.find(sign) != std::string::npos; });
}

}  // namespace percept::nodes
