// SPDX-License-Identifier: Apache-2.0
#include "nodes/sink/text_file.h"

#include <cerrno>
#include <system_error>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

[[noreturn]] void ThrowErrno(const std::string& path) {
  throw Error(path + ": cannot be written: " + std::generic_category().message(errno));
}

}  // namespace

TextFile::TextFile(const std::string& path, const Runtime& runtime) : path_(path) {
  if (path == "-") {
    stream_ = runtime.options().standard_output;
    if (stream_ == nullptr) {
      throw Error("there is no standard output to write");
    }
    return;
  }
  file_.reset(std::fopen(path.c_str(), "wbe"));
  if (file_ == nullptr) {
    ThrowErrno(path);
  }
}

void TextFile::Write(std::string_view text) {
  if (stream_ != nullptr) {
    stream_->Write(text);
    return;
  }
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0) {
    ThrowErrno(path_);
  }
}

}  // namespace percept::nodes
