// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace percept::nodes {

// What a file is known by between two runs.
struct FileMark {
  int64_t size = -1;  // -1: it is no regular file, or there is none
  int64_t modified_ns = 0;
  std::string ends_hash;   // of its first and last 64 KiB
  std::string whole_hash;  // "" where it was not asked for

  // Whether `now` may be the same file: by all its content where both know it, otherwise by size, time and both ends.
  bool Matches(const FileMark& now) const;
};

// Throws Error where the file is there but cannot be read.
FileMark MarkFile(const std::filesystem::path& file, bool hash_whole);

// Of the first and the last 64 KiB of a file's first `size` bytes; "" where it has fewer, or is no regular file. Throws
// Error where it is there but cannot be read.
std::string HashStart(const std::filesystem::path& file, int64_t size);

// "cannot be read: No such file or directory"; "" where this process may open it.
std::string WhyUnreadable(const std::filesystem::path& file);

// SHA-256 as hexadecimal digits.
std::string HashText(std::string_view text);

// Of the names, sizes and ends of the files in a model's folder, or of one file.
std::string HashModel(const std::filesystem::path& path);

}  // namespace percept::nodes
