// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/written_files.h"

#include <filesystem>
#include <system_error>

#include "nodes/sink/text_file.h"

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

std::filesystem::path RowsOf(const JournalEntry& entry, const PlannedOutput& output) {
  const auto found = entry.written.find(output.node);
  const bool is_beside = found != entry.written.end() && !output.file.empty() &&
                         found->second.file.native().starts_with(PartialFile(output.file).native());
  return is_beside ? found->second.file : output.file;
}

bool IsAsWritten(const JournalEntry& entry, const PlannedOutput& output) {
  const std::filesystem::path file = RowsOf(entry, output);
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(file, error));
  if (error || size == 0) {
    return true;
  }
  const bool is_begun = entry.state == JournalState::kStarted;
  const auto found = entry.written.find(output.node);
  if (found == entry.written.end()) {
    return is_begun;
  }
  const WrittenFile& written = found->second;
  return written.file == file && (is_begun || size == written.size) && HashStart(file, written.size) == written.hash;
}

}  // namespace percept::nodes
