// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/remarks.h"

#include <algorithm>
#include <utility>

namespace percept::nodes {
namespace {

constexpr size_t kMaxLines = 64, kMaxLineBytes = 300;

}  // namespace

void Remarks::Add(std::string_view text) {
  while (!text.empty()) {
    const std::string_view rest = text.substr(std::min(text.find('\n'), text.size() - 1) + 1);
    AddLine(std::string(text.substr(0, text.find('\n'))));
    text = rest;
  }
}

void Remarks::AddLine(std::string line) {
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7F; }, ' ');
  line.erase(line.find_last_not_of(' ') + 1);
  line.resize(std::min(line.size(), kMaxLineBytes));
  if (line.empty() || lines_.size() > kMaxLines || std::find(lines_.begin(), lines_.end(), line) != lines_.end()) {
    return;
  }
  lines_.push_back(lines_.size() < kMaxLines ? std::move(line) : "more remarks than are kept");
}

std::string Join(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += (text.empty() ? "" : "; ") + line;
  }
  return text.size() <= kMaxLineBytes ? text : text.substr(0, kMaxLineBytes - 3) + "...";
}

}  // namespace percept::nodes
