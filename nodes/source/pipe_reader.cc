// SPDX-License-Identifier: Apache-2.0
#include "nodes/source/pipe_reader.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "kernels/core/error.h"

namespace percept::nodes {
namespace {

constexpr size_t kReadBytes = size_t{64} << 10;

int MakeEvent() {
  const int event = eventfd(0, EFD_CLOEXEC);
  if (event < 0) {
    throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  return event;
}

// Adds what one call reads to `bytes`; false at the end. Throws InputError with the reason.
bool ReadPiece(int file_descriptor, size_t limit_bytes, std::vector<std::byte>& bytes) {
  const size_t size = bytes.size();
  bytes.resize(size + kReadBytes);
  const ssize_t count = read(file_descriptor, bytes.data() + size, kReadBytes);
  bytes.resize(size + static_cast<size_t>(count > 0 ? count : 0));
  if (count < 0 && errno != EINTR && errno != EAGAIN) {
    throw InputError(errno == EBADF ? "is closed" : "cannot be read: " + std::generic_category().message(errno));
  }
  if (bytes.size() > limit_bytes) {
    throw InputError("longer than the limit of " + std::to_string(limit_bytes) + " bytes");
  }
  return count != 0;
}

}  // namespace

PipeReader::PipeReader(int file_descriptor, size_t limit_bytes, graph::Waker waker)
    : stop_event_(MakeEvent()), waker_(std::move(waker)), thread_([=, this] {
        Read(file_descriptor, limit_bytes);
        done_.store(true, std::memory_order_release);
        waker_.Wake();
        waker_ = graph::Waker();
      }) {}

PipeReader::~PipeReader() {
  const uint64_t one = 1;
  // An event that is full is set already.
  [[maybe_unused]] const ssize_t written = write(stop_event_, &one, sizeof(one));
  thread_.join();
  close(stop_event_);
}

std::vector<std::byte> PipeReader::TakeBytes() {
  if (!error_.empty()) {
    throw InputError(error_);
  }
  return std::move(bytes_);
}

bool PipeReader::WaitForInput(int file_descriptor) const {
  std::array<pollfd, 2> waits = {pollfd{file_descriptor, POLLIN, 0}, pollfd{stop_event_, POLLIN, 0}};
  while (poll(waits.data(), waits.size(), -1) < 0 && errno == EINTR) {
  }
  return waits[1].revents == 0;
}

void PipeReader::Read(int file_descriptor, size_t limit_bytes) {
  try {
    while (WaitForInput(file_descriptor) && ReadPiece(file_descriptor, limit_bytes, bytes_)) {
    }
  } catch (const InputError& error) {
    error_ = error.what();
  }
}

std::vector<std::byte> ReadPipe(int file_descriptor, size_t limit_bytes) {
  std::vector<std::byte> bytes;
  do {
    pollfd wait = {file_descriptor, POLLIN, 0};
    poll(&wait, 1, -1);
  } while (ReadPiece(file_descriptor, limit_bytes, bytes));
  return bytes;
}

}  // namespace percept::nodes
