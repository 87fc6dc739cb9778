// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace percept::nodes {

// What the decoders had to say of one file: lines of printable ASCII, each once, in the order they came.
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

}  // namespace percept::nodes
