// SPDX-License-Identifier: Apache-2.0
#include "nodes/batch/file_mark.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <vector>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kEndBytes = 64 << 10;
constexpr size_t kReadBytes = 1 << 20;

class Hash {
 public:
  void Add(const void* bytes, size_t size) {
    g_checksum_update(sum_.get(), static_cast<const guchar*>(bytes), static_cast<gssize>(size));
  }
  std::string Digits() const { return g_checksum_get_string(sum_.get()); }

 private:
  struct Free {
    void operator()(GChecksum* sum) const { g_checksum_free(sum); }
  };
  std::unique_ptr<GChecksum, Free> sum_{g_checksum_new(G_CHECKSUM_SHA256)};
};

class OpenFile {
 public:
  explicit OpenFile(const fs::path& path) : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) {
      ThrowErrno();
    }
  }
  ~OpenFile() { close(descriptor_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  void AddTo(Hash* hash, int64_t from, int64_t size) const {
    std::vector<char> bytes(static_cast<size_t>(std::min<int64_t>(size, kReadBytes)));
    while (size > 0) {
      const size_t wanted = static_cast<size_t>(std::min<int64_t>(size, kReadBytes));
      const ssize_t count = pread(descriptor_, bytes.data(), wanted, from);
      if (count < 0 && errno != EINTR) {
        ThrowErrno();
      }
      if (count == 0) {
        return;
      }
      hash->Add(bytes.data(), static_cast<size_t>(std::max<ssize_t>(count, 0)));
      from += std::max<ssize_t>(count, 0);
      size -= std::max<ssize_t>(count, 0);
    }
  }

 private:
  [[noreturn]] void ThrowErrno() const {
    throw Error(path_.string() + ": cannot be read: " + std::generic_category().message(errno));
  }

  const fs::path path_;
  const int descriptor_;
};

std::string HashEnds(const OpenFile& file, int64_t size) {
  Hash ends;
  file.AddTo(&ends, 0, std::min(size, kEndBytes));
  file.AddTo(&ends, std::max<int64_t>(size - kEndBytes, 0), std::min(size, kEndBytes));
  return ends.Digits();
}

}  // namespace

bool FileMark::Matches(const FileMark& now) const {
  if (!whole_hash.empty() && !now.whole_hash.empty()) {
    return whole_hash == now.whole_hash;
  }
  return size == now.size && modified_ns == now.modified_ns && ends_hash == now.ends_hash;
}

FileMark MarkFile(const fs::path& file, bool hash_whole) {
  FileMark mark;
  struct stat status {};
  if (stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return mark;
  }
  mark.size = status.st_size;
  mark.modified_ns = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  const OpenFile open_file(file);
  mark.ends_hash = HashEnds(open_file, mark.size);
  if (hash_whole) {
    Hash whole;
    open_file.AddTo(&whole, 0, mark.size);
    mark.whole_hash = whole.Digits();
  }
  return mark;
}

std::string HashStart(const fs::path& file, int64_t size) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < size) {
    return "";
  }
  return HashEnds(OpenFile(file), size);
}

std::string WhyUnreadable(const fs::path& file) {
  const bool is_readable = faccessat(AT_FDCWD, file.c_str(), R_OK, AT_EACCESS) == 0;
  return is_readable ? "" : "cannot be read: " + std::generic_category().message(errno);
}

std::string HashText(std::string_view text) {
  Hash hash;
  hash.Add(text.data(), text.size());
  return hash.Digits();
}

std::string HashModel(const fs::path& path) {
  std::vector<fs::path> files;
  if (fs::is_directory(path)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  std::string facts;
  for (const fs::path& file : files) {
    const FileMark mark = MarkFile(file, /*hash_whole=*/false);
    facts += file.filename().string() + " " + std::to_string(mark.size) + " " + mark.ends_hash + "\n";
  }
  return HashText(facts);
}

}  // namespace percept::nodes
