// SPDX-License-Identifier: Apache-2.0
#include "nodes/sink/text_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <system_error>
#include <thread>
#include <tuple>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kReaderCheck{50};
constexpr size_t kPiece = PIPE_BUF;  // what a pipe that has room takes without waiting

[[noreturn]] void ThrowErrno(const std::string& path, int error) {
  throw Error(path + ": cannot be written: " + std::generic_category().message(error));
}

int Rename(const fs::path& file, fs::path& place) { return ::rename(file.c_str(), place.c_str()) == 0 ? 0 : errno; }

// Renames `file` to `place`, or with a number behind it where there is something of that name: what an earlier run has
// kept, or an input, is replaced by nothing. Sets `place` to the name taken; returns an errno, 0 where all went well.
int RenameToFree(const fs::path& file, fs::path& place) {
  const fs::path wanted = place;
  for (int i = 2;; ++i) {
    int error = ::renameat2(AT_FDCWD, file.c_str(), AT_FDCWD, place.c_str(), RENAME_NOREPLACE) == 0 ? 0 : errno;
    if (error == EINVAL) {  // a file system that cannot tell: a link does not replace either
      error = ::link(file.c_str(), place.c_str()) == 0 ? 0 : errno;
      if (error == 0) {
        ::unlink(file.c_str());
      }
    }
    if (error != EEXIST) {
      return error;
    }
    place = fs::path(wanted) += "." + std::to_string(i);
  }
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

fs::path PartialFile(const fs::path& file) { return fs::path(file) += ".partial"; }

void SyncFolderOf(const fs::path& file) {
  const int folder = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    ThrowErrno(file.string(), errno);
  }
  const int error = ::fsync(folder) == 0 ? 0 : errno;
  ::close(folder);
  if (error != 0 && error != EINVAL) {
    ThrowErrno(file.string(), error);
  }
}

TextFile::TextFile(const graph::ParamValues& params, Runtime& runtime)
    : path_(params.Get<std::string>("path")), runtime_(runtime) {
  const std::optional<fs::path> file = ReplacedFile(path_);
  if (!file) {
    return;
  }
  try {
    claim_ = runtime.ClaimOutput(*file);
  } catch (const ArgumentError& error) {
    throw graph::DefinitionError(params.PositionOf("path"), "'path' is " + path_ + ": " + error.what());
  }
}

TextFile::~TextFile() {
  CutToCommitted();
  if (!written_.empty()) {
    ::unlink(written_.c_str());
  }
}

void TextFile::Open(std::optional<int64_t> committed, const Cancelled& cancelled) {
  length_ = committed.value_or(0);
  if (path_ == "-") {
    stream_ = runtime_.options().standard_output;
    if (stream_ == nullptr) {
      throw Error("there is no standard output to write");
    }
    return;
  }
  if (const std::optional<fs::path> target = ReplacedFile(path_)) {
    may_wait_ = false;
    if (committed) {
      OpenInPlace(*target, *committed);
    } else {
      OpenBeside(*target);
    }
    return;
  }
  OpenDevice(cancelled);
}

void TextFile::OpenDevice(const Cancelled& cancelled) {
  int descriptor = -1;
  // At its end, as what /dev/stdout stands for may be a file that holds more already.
  while ((descriptor = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC)) < 0) {
    const int error = errno;
    struct stat found {};
    const bool has_no_reader = error == ENXIO && ::stat(path_.c_str(), &found) == 0 && S_ISFIFO(found.st_mode);
    if (!has_no_reader) {
      ThrowErrno(path_, error);
    }
    if (cancelled()) {
      throw Error(path_ + ": nobody reads it");
    }
    std::this_thread::sleep_for(kReaderCheck);  // no call waits for a reader and for a cancel too
  }
  file_.reset(::fdopen(descriptor, "wb"));
  if (file_ == nullptr || ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) & ~O_NONBLOCK) != 0) {
    ThrowErrno(path_, errno);
  }
}

void TextFile::OpenInPlace(const fs::path& target, int64_t committed) {
  const bool is_new = !fs::exists(target);
  file_.reset(std::fopen(target.c_str(), is_new ? "wbe" : "r+be"));
  struct stat old {};
  if (file_ == nullptr || ::fstat(::fileno(file_.get()), &old) != 0) {
    ThrowErrno(path_, errno);
  }
  if (old.st_size < committed) {
    throw Error(path_ + ": has " + std::to_string(old.st_size) + " bytes, but " + std::to_string(committed) +
                " were written and committed: it was changed since");
  }
  if (::ftruncate(::fileno(file_.get()), committed) != 0 || std::fseek(file_.get(), 0, SEEK_END) != 0) {
    ThrowErrno(path_, errno);
  }
  committed_ = committed;
  if (is_new) {
    SyncFolderOf(target);
  }
}

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

void TextFile::Write(std::string_view text, const Cancelled& cancelled) {
  if (!may_wait_) {
    WritePiece(text);
    return;
  }
  for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(std::min(rest.size(), kPiece))) {
    while (!WaitForRoom()) {
      if (cancelled()) {
        throw Error((path_ == "-" ? "standard output" : path_) + " is not read");
      }
    }
    WritePiece(rest.substr(0, kPiece));
  }
}

bool TextFile::WaitForRoom() const {
  if (stream_ != nullptr) {
    return stream_->WaitForRoom(kReaderCheck);
  }
  pollfd wait = {::fileno(file_.get()), POLLOUT, 0};
  return ::poll(&wait, 1, static_cast<int>(kReaderCheck.count())) != 0;
}

void TextFile::WritePiece(std::string_view piece) {
  if (stream_ != nullptr) {
    stream_->Write(piece);
  } else if (std::fwrite(piece.data(), 1, piece.size(), file_.get()) != piece.size() || std::fflush(file_.get()) != 0) {
    ThrowErrno(path_, errno);
  }
  length_ += static_cast<int64_t>(piece.size());
}

int64_t TextFile::Commit() {
  // Devices and pipes know no sync.
  if (file_ != nullptr && ::fsync(::fileno(file_.get())) != 0 && errno != EINVAL && errno != EROFS) {
    ThrowErrno(path_, errno);
  }
  if (committed_) {
    committed_ = length_;
  }
  return length_;
}

void TextFile::Finish(bool even_empty) {
  if (committed_) {
    return;  // it stands in its place; the last commit is still to come
  }
  const bool is_left = !written_.empty() && length_ == 0 && !even_empty;
  if (const int error = PutInPlace(target_, even_empty, Rename); error != 0) {
    ThrowErrno(path_, error);
  }
  if (is_left) {
    runtime_.AddEmptyOutput(path_);
  }
}

void TextFile::Close() {
  CutToCommitted();
  if (file_ != nullptr && !written_.empty()) {
    KeepPartial();
  }
  file_.reset();
  claim_.reset();
}

void TextFile::CutToCommitted() {
  if (committed_ && file_ != nullptr) {
    // What cannot be cut off here is when the run is taken up again.
    std::ignore = ::ftruncate(::fileno(file_.get()), *committed_);
  }
}

void TextFile::KeepPartial() {
  std::ignore = ::ftruncate(::fileno(file_.get()), length_);  // no half of what could not be written
  fs::path place = PartialFile(target_);
  const int error = PutInPlace(place, /*even_empty=*/false, RenameToFree);
  if (length_ > 0) {
    runtime_.AddPartialOutput({path_, place, error == 0 ? "" : std::generic_category().message(error)});
  }
}

int TextFile::PutInPlace(fs::path& place, bool even_empty, int (*put)(const fs::path& file, fs::path& place)) {
  if (file_ == nullptr) {
    return 0;
  }
  int error = std::fclose(file_.release()) == 0 ? 0 : errno;
  if (written_.empty()) {
    return error;
  }
  const bool is_wanted = length_ > 0 || even_empty;
  if (is_wanted && error == 0) {
    error = put(written_, place);
  }
  if (!is_wanted || error != 0) {
    ::unlink(written_.c_str());
  }
  written_.clear();
  return error;
}

void WriteEmptyOutputs(Runtime& runtime) {
  for (const std::string& path : runtime.TakeEmptyOutputs()) {
    graph::ParamValues params;
    params.Set("path", path, {});
    TextFile file(params, runtime);
    file.Open(std::nullopt, [] { return false; });
    file.Finish(/*even_empty=*/true);
  }
}

}  // namespace percept::nodes
