// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace percept::nodes {

// How libvips counts a JPEG's warnings. libjpeg tells the first one only, so that no more than one can be judged.
constexpr std::string_view kOneJpegWarning = "read gave 1 warnings";

// Whether a warning is about what stands beside the picture. What this does not know is damage.
bool IsHarmless(std::string_view line);

// Whether the reason a decoder gave up is that the file ended.
bool MeansTruncated(std::string text);

}  // namespace percept::nodes
