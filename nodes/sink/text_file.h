// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "nodes/runtime.h"

namespace percept::nodes {

// What a sink writes to: a file that is made anew, or with the path "-" the runtime's standard output.
class TextFile {
 public:
  // Throws Error that names the file.
  TextFile(const std::string& path, const Runtime& runtime);

  // Written when it returns, as far as this process is concerned. Throws Error that names the file.
  void Write(std::string_view text);

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::string path_;
  TextStream* stream_ = nullptr;  // instead of file_
  std::unique_ptr<std::FILE, CloseFile> file_;
};

}  // namespace percept::nodes
