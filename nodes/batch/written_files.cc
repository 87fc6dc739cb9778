// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/written_files.h"

#include <filesystem>
#include <system_error>

namespace percept::nodes {

std::map<std::string, WrittenFile> MarkWritten(const std::vector<PlannedOutput>& outputs,
                                               const std::map<std::string, int64_t>& positions) {
  std::map<std::string, WrittenFile> written;
  for (const PlannedOutput& output : outputs) {
    const auto position = positions.find(output.node);
    if (!output.file.empty() && position != positions.end()) {
      written[output.node] = {output.file, position->second, HashStart(output.file, position->second)};
    }
  }
  return written;
}

bool IsAsWritten(const JournalEntry& entry, const PlannedOutput& output) {
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(output.file, error));
  if (error || size == 0) {
    return true;
  }
  const bool is_begun = entry.state == JournalState::kStarted;
  const auto found = entry.written.find(output.node);
  if (found == entry.written.end()) {
    return is_begun;
  }
  const WrittenFile& written = found->second;
  return written.file == output.file && (is_begun || size == written.size) &&
         HashStart(output.file, written.size) == written.hash;
}

}  // namespace percept::nodes
