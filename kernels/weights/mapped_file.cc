// SPDX-License-Identifier: Apache-2.0
#include "kernels/weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "kernels/core/error.h"

namespace percept {
namespace {

[[noreturn]] void Fail(const std::filesystem::path& path, const std::string& reason) {
  throw CheckpointError(path.string() + ": " + reason);
}

std::string SystemReason(int code) { return std::generic_category().message(code); }

class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) {
      Fail(path, "cannot be opened: " + SystemReason(errno));
    }
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  const Descriptor file(path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) {
    Fail(path, "cannot be examined: " + SystemReason(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    Fail(path, S_ISDIR(status.st_mode) ? "is a folder, not a file" : "is not a regular file");
  }
  if (status.st_size == 0) {
    Fail(path, "the file is empty");
  }
  size_bytes_ = static_cast<size_t>(status.st_size);
  void* address = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) {
    Fail(path, "cannot be mapped: " + SystemReason(errno));
  }
  address_ = static_cast<std::byte*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      address_(std::exchange(other.address_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

MappedFile::~MappedFile() {
  if (address_ != nullptr) {
    ::munmap(address_, size_bytes_);
  }
}

void MappedFile::ReleasePages(std::span<const std::byte> range) const {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<size_t>(range.data() - address_);  // the mapping starts on a page
  const size_t begin = (offset + page - 1) / page * page;
  const size_t end = (offset + range.size()) / page * page;
  if (begin < end) {
    // A refusal only means that the pages stay resident.
    (void)::madvise(address_ + begin, end - begin, MADV_DONTNEED);
  }
}

}  // namespace percept
