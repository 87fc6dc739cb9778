// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/av_input.h"

extern "C" {
#include <libavformat/avio.h>
#include <libavutil/error.h>
#include <libavutil/mem.h>
}

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <new>
#include <numeric>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

constexpr int kBufferBytes = 32 << 10;
constexpr int64_t kUnknownSize_bytes = 0x7FFF'0000;  // and more: what a WAV file states that went through a pipe
constexpr int64_t kPadding_bytes = 16;               // that may be missing at an end

template <size_t kSize>
bool ReadAll(AVIOContext* file, std::array<unsigned char, kSize>* bytes) {
  return avio_read(file, bytes->data(), kSize) == static_cast<int>(kSize);
}

}  // namespace

std::string AvErrorText(int error) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(error, text.data(), text.size());
  return text.data();
}

AvInput::AvInput(const std::filesystem::path& file) {
  if (const int error = avio_open2(&context_, ("file:" + file.string()).c_str(), AVIO_FLAG_READ, nullptr, nullptr);
      error < 0) {
    throw InputError("cannot be opened: " + AvErrorText(error));
  }
}

AvInput::AvInput(std::span<const std::byte> bytes) : memory_(std::make_unique<Memory>(Memory{bytes})) {
  auto* buffer = static_cast<unsigned char*>(av_malloc(kBufferBytes));
  context_ =
      buffer == nullptr ? nullptr : avio_alloc_context(buffer, kBufferBytes, 0, memory_.get(), Read, nullptr, Seek);
  if (context_ == nullptr) {
    av_free(buffer);
    throw std::bad_alloc();
  }
}

AvInput::~AvInput() {
  if (memory_ == nullptr) {
    avio_closep(&context_);
  } else {
    av_freep(static_cast<void*>(&context_->buffer));
    avio_context_free(&context_);
  }
}

int AvInput::Read(void* memory, uint8_t* buffer, int size) {
  auto* from = static_cast<Memory*>(memory);
  const size_t count = std::min(static_cast<size_t>(size), from->bytes.size() - from->position);
  if (count == 0) {
    return AVERROR_EOF;
  }
  std::memcpy(buffer, from->bytes.data() + from->position, count);
  from->position += count;
  return static_cast<int>(count);
}

int64_t AvInput::Seek(void* memory, int64_t offset, int whence) {
  auto* in = static_cast<Memory*>(memory);
  const auto size = static_cast<int64_t>(in->bytes.size());
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return size;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      offset += static_cast<int64_t>(in->position);
      break;
    case SEEK_END:
      offset += size;
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0 || offset > size) {
    return AVERROR(EINVAL);
  }
  in->position = static_cast<size_t>(offset);
  return offset;
}

std::optional<std::string> AvInput::WhatIsCut() const {
  const int64_t num_missing_bytes = NumMissingRiffBytes();
  avio_seek(context_, 0, SEEK_SET);
  const bool is_cut_ogg = IsCutOgg();
  avio_seek(context_, 0, SEEK_SET);
  if (num_missing_bytes > kPadding_bytes) {
    return std::to_string(num_missing_bytes) + " bytes before the end that it states";
  }
  return is_cut_ogg ? std::optional<std::string>("before the page that ends its stream") : std::nullopt;
}

// 0 for other files.
int64_t AvInput::NumMissingRiffBytes() const {
  std::array<unsigned char, 8> head{};
  if (!ReadAll(context_, &head) || !std::equal(head.begin(), head.begin() + 4, "RIFF")) {
    return 0;
  }
  const int64_t stated = head[4] | head[5] << 8 | head[6] << 16 | int64_t{head[7]} << 24;
  return stated < kUnknownSize_bytes ? stated + 8 - avio_size(context_) : 0;
}

// From page to page (RFC 3533). What comes behind a page and is none is not looked at.
bool AvInput::IsCutOgg() const {
  constexpr size_t kFlags = 5;
  constexpr unsigned char kEndsStream = 4;
  constexpr size_t kNumSegments = 26;
  const int64_t size = avio_size(context_);
  bool has_pages = false;
  bool is_ended = false;
  for (int64_t at = 0; at < size; has_pages = true) {
    std::array<unsigned char, 27> head{};
    avio_seek(context_, at, SEEK_SET);
    const int num_read = avio_read(context_, head.data(), head.size());
    if (num_read < 4 || std::memcmp(head.data(), "OggS", 4) != 0) {
      return has_pages && !is_ended && num_read < 4;
    }
    std::array<unsigned char, 255> segments{};
    const int num_segments = num_read < static_cast<int>(head.size()) ? -1 : head[kNumSegments];
    if (num_segments < 0 || avio_read(context_, segments.data(), num_segments) != num_segments) {
      return true;
    }
    at += static_cast<int64_t>(head.size()) + num_segments +
          std::accumulate(segments.begin(), segments.begin() + num_segments, int64_t{0});
    if (at > size) {
      return true;
    }
    is_ended = (head[kFlags] & kEndsStream) != 0;
  }
  return has_pages && !is_ended;
}

}  // namespace percept::nodes
