// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace percept::nodes {

// What the decoders had to say of one picture: lines of printable ASCII, each once, in the order they came.
class Remarks {
 public:
  // Adds every line of `text`.
  void Add(std::string_view text);
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  void AddLine(std::string line);

  std::vector<std::string> lines_;
};

// The lines in one, cut to 300 bytes.
std::string Join(const std::vector<std::string>& lines);

// How libvips counts a JPEG's warnings. libjpeg tells the first one only, so that no more than one can be judged.
constexpr std::string_view kOneJpegWarning = "read gave 1 warnings";

// Whether a warning is about what stands beside the picture. What this does not know is damage.
bool IsHarmless(std::string_view line);

// Whether the reason a decoder gave up is that the file ended.
bool MeansTruncated(std::string text);

}  // namespace percept::nodes
