// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace percept {

// A whole file as read-only memory, paged in as it is read. Movable; unmapped at the end.
class MappedFile {
 public:
  // Throws CheckpointError naming the file: missing, a folder, not readable, empty.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) = delete;
  ~MappedFile();

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {address_, size_bytes_}; }

  // Gives back the pages that lie wholly inside `range`, a part of bytes(). Reading them again pages them in again.
  void ReleasePages(std::span<const std::byte> range) const;

 private:
  std::filesystem::path path_;
  std::byte* address_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace percept
