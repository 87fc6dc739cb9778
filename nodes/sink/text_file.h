// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "graph/node/params.h"
#include "nodes/runtime.h"

namespace percept::nodes {

// The file that a sink with this path puts in place whole: symbolic links followed, `.` and `..` gone. Nothing for
// what is written as it is: "-", a device, a pipe, an open file's name under /proc.
std::optional<std::filesystem::path> ReplacedFile(const std::string& path);

// The right to write the file of a sink whose parameter `path` this is; null for what sinks may share, which is what
// ReplacedFile does not name. Throws DefinitionError, at the parameter, where another sink has it.
std::unique_ptr<OutputClaim> ClaimFile(const graph::ParamValues& params, Runtime& runtime);

// What a sink writes to: a file, or with the path "-" the runtime's standard output. A regular file is written beside
// its place and takes it at the end, if anything was written: until then, and where there was nothing, an old file
// stays what it is.
class TextFile {
 public:
  // Throws Error that names the file.
  TextFile(const std::string& path, const Runtime& runtime);
  // As Finish, without a word of what fails: for runs that have failed already or were cancelled.
  ~TextFile();
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  // Written when it returns, as far as this process is concerned. Throws Error that names the file.
  void Write(std::string_view text);
  // After the last Write: puts the file in its place. Throws Error that names the file.
  void Finish();

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void OpenBeside(const std::filesystem::path& target);
  // An errno, 0 where all went well.
  int PutInPlace();

  std::string path_;
  TextStream* stream_ = nullptr;  // instead of file_
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::filesystem::path target_;
  std::filesystem::path written_;  // to be renamed to target_; empty where that is done or not wanted
  bool any_written_ = false;
};

}  // namespace percept::nodes
