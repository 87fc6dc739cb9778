// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets have in common. Whatever the bytes are, reading them ends in a value or in a CheckpointError
// that begins with the file's name and can be read on a screen; anything else ends the process, which is a finding.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "kernels/core/error.h"
#include "kernels/weights/tensor_source.h"

namespace percept::fuzz {

constexpr size_t kMaxMessage_bytes = 4096;

// Calls `read`, which may throw CheckpointError about `file`.
template <class Read>
void MayRefuse(const std::string& file, Read read) {
  try {
    read();
  } catch (const CheckpointError& error) {
    const std::string_view message = error.what();
    if (!message.starts_with(file + ": ") || message.size() > kMaxMessage_bytes) std::abort();
    for (const char c : message) {
      if (static_cast<unsigned char>(c) < 0x20) std::abort();
    }
  }
}

// The bytes as a file of the file system that lies in memory.
class InputFile {
 public:
  InputFile(const uint8_t* data, size_t size) : fd_(::memfd_create("input", MFD_CLOEXEC)) {
    if (fd_ < 0 || ::write(fd_, data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  ~InputFile() { ::close(fd_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

// Reads all of a tensor's bytes, those of plain types as such, so that what lies outside the file or is unaligned
// shows.
inline uint64_t Read(const ConstTensor& tensor) {
  uint64_t sum = 0;
  const auto add = [&]<class T>(T) {
    const T* values = static_cast<const T*>(tensor.bytes);
    for (int64_t i = 0; i < tensor.shape.elements(); ++i) sum += static_cast<uint64_t>(values[i]);
  };
  switch (Traits(tensor.dtype).block_elements == 1 ? Traits(tensor.dtype).block_bytes : 1) {
    case 8:
      add(uint64_t{});
      break;
    case 4:
      add(uint32_t{});
      break;
    case 2:
      add(uint16_t{});
      break;
    default:
      for (int64_t i = 0; i < tensor.size_bytes(); ++i) sum += static_cast<const uint8_t*>(tensor.bytes)[i];
  }
  return sum;
}

// Asks a source for everything that it says it has.
inline void ReadAll(const TensorSource& source, const std::string& file) {
  for (const std::string& name : source.Names()) {
    if (source.FileOf(name) != file || source.NameInFile(name).empty()) std::abort();
    MayRefuse(file, [&] {
      const ConstTensor* tensor = source.Find(name);
      if (tensor == nullptr) std::abort();
      Read(*tensor);
    });
    source.ReleasePages(name);
  }
}

}  // namespace percept::fuzz
