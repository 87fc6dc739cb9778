// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>

// What a .gz file holds. Throws where it cannot be unpacked.
inline std::string ReadGzipFile(const std::filesystem::path& file) {
  const std::string command = "gzip -dc '" + file.string() + "'";
  FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT(bugprone-command-processor): files of the test itself
  if (pipe == nullptr) throw std::runtime_error("gzip cannot be run");
  std::string bytes;
  std::array<char, 1 << 16> buffer;
  while (const size_t num_read = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    bytes.append(buffer.data(), num_read);
  }
  if (::pclose(pipe) != 0) throw std::runtime_error(file.string() + " cannot be unpacked");
  return bytes;
}
