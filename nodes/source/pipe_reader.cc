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
  while (WaitForInput(file_descriptor)) {
    const size_t size = bytes_.size();
    bytes_.resize(size + kReadBytes);
    const ssize_t count = read(file_descriptor, bytes_.data() + size, kReadBytes);
    bytes_.resize(size + static_cast<size_t>(count > 0 ? count : 0));
    if (count == 0) {
      return;
    }
    if (count < 0 && errno != EINTR && errno != EAGAIN) {
      error_ = errno == EBADF ? "is closed" : "cannot be read: " + std::generic_category().message(errno);
      return;
    }
    if (bytes_.size() > limit_bytes) {
      error_ = "longer than the limit of " + std::to_string(limit_bytes) + " bytes";
      return;
    }
  }
}

}  // namespace percept::nodes
