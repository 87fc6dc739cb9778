// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

struct AVIOContext;

namespace percept::nodes {

// What FFmpeg calls an error.
std::string AvErrorText(int error);

// Bytes that FFmpeg reads, from a local file or from memory.
class AvInput {
 public:
  // Throws InputError where the file cannot be opened.
  explicit AvInput(const std::filesystem::path& file);
  // The bytes outlive it.
  explicit AvInput(std::span<const std::byte> bytes);
  ~AvInput();
  AvInput(const AvInput&) = delete;
  AvInput& operator=(const AvInput&) = delete;

  AVIOContext* context() const { return context_; }

  // What the end lacks, in words, for containers whose demuxers do without: a RIFF file (WAV, AVI) that is shorter than
  // its header says, an Ogg file that does not end with a page that is marked as the last. Leaves the position at the
  // start.
  std::optional<std::string> WhatIsCut() const;

 private:
  struct Memory {
    std::span<const std::byte> bytes;
    size_t position = 0;
  };

  static int Read(void* memory, uint8_t* buffer, int size);
  static int64_t Seek(void* memory, int64_t offset, int whence);

  int64_t NumMissingRiffBytes() const;
  bool IsCutOgg() const;

  std::unique_ptr<Memory> memory_;  // null for a file
  AVIOContext* context_ = nullptr;
};

}  // namespace percept::nodes
