// SPDX-License-Identifier: Apache-2.0
#include "nodes/sink/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <tuple>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void ThrowErrno(const std::string& path, int error) {
  throw Error(path + ": cannot be written: " + std::generic_category().message(error));
}

}  // namespace

std::optional<fs::path> ReplacedFile(const std::string& path) {
  constexpr int kMaxLinks = 40;  // as the kernel
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (path == "-" || (fs::exists(status) && !fs::is_regular_file(status))) {
    return std::nullopt;
  }
  // Link by link: one whose target is missing still says where the file belongs.
  fs::path file = fs::absolute(path);
  for (int i = 0; i < kMaxLinks && fs::is_symlink(fs::symlink_status(file, ignored)); ++i) {
    if (file.native().starts_with("/proc/")) {
      return std::nullopt;
    }
    file = file.parent_path() / fs::read_symlink(file, ignored);
  }
  const fs::path real = fs::weakly_canonical(file, ignored);
  return ignored ? file : real;
}

std::unique_ptr<OutputClaim> ClaimFile(const graph::ParamValues& params, Runtime& runtime) {
  const auto& path = params.Get<std::string>("path");
  const std::optional<fs::path> file = ReplacedFile(path);
  if (!file) {
    return nullptr;
  }
  try {
    return runtime.ClaimOutput(*file);
  } catch (const ArgumentError& error) {
    throw graph::DefinitionError(params.PositionOf("path"), "'path' is " + path + ": " + error.what());
  }
}

TextFile::TextFile(const std::string& path, const Runtime& runtime) : path_(path) {
  if (path == "-") {
    stream_ = runtime.options().standard_output;
    if (stream_ == nullptr) {
      throw Error("there is no standard output to write");
    }
    return;
  }
  if (const std::optional<fs::path> target = ReplacedFile(path)) {
    OpenBeside(*target);
    return;
  }
  file_.reset(std::fopen(path.c_str(), "wbe"));
  if (file_ == nullptr) {
    ThrowErrno(path, errno);
  }
}

TextFile::~TextFile() { PutInPlace(); }

void TextFile::OpenBeside(const fs::path& target) {
  struct stat old {};
  const bool replaces = ::stat(target.c_str(), &old) == 0;
  if (replaces && ::access(target.c_str(), W_OK) != 0) {
    ThrowErrno(path_, errno);
  }
  int descriptor = -1;
  for (int i = 0; descriptor < 0; ++i) {
    written_ = target.parent_path() / (".percept-" + std::to_string(::getpid()) + "-" + std::to_string(i));
    descriptor = ::open(written_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (descriptor < 0 && errno != EEXIST) {
      written_.clear();
      ThrowErrno(path_, errno);
    }
  }
  target_ = target;
  file_.reset(::fdopen(descriptor, "wb"));
  if (file_ == nullptr) {
    const int error = errno;
    ::close(descriptor);
    ::unlink(written_.c_str());
    ThrowErrno(path_, error);
  }
  if (replaces) {
    // Where the file system keeps no modes, nothing is lost.
    std::ignore = ::fchmod(descriptor, old.st_mode & 07777);
  }
}

void TextFile::Write(std::string_view text) {
  if (stream_ != nullptr) {
    stream_->Write(text);
    return;
  }
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() || std::fflush(file_.get()) != 0) {
    ThrowErrno(path_, errno);
  }
  any_written_ = true;
}

void TextFile::Finish() {
  if (const int error = PutInPlace(); error != 0) {
    ThrowErrno(path_, error);
  }
}

int TextFile::PutInPlace() {
  if (file_ == nullptr) {
    return 0;
  }
  int error = std::fclose(file_.release()) == 0 ? 0 : errno;
  if (written_.empty()) {
    return error;
  }
  if (any_written_ && error == 0 && ::rename(written_.c_str(), target_.c_str()) != 0) {
    error = errno;
  }
  if (!any_written_ || error != 0) {
    ::unlink(written_.c_str());
  }
  return error;
}

}  // namespace percept::nodes
