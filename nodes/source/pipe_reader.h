// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "graph/node/waker.h"

namespace percept::nodes {

// Reads a pipe to its end on a thread of its own, then calls the Waker and lets go of it.
class PipeReader {
 public:
  // Does not own `file_descriptor`. More than `limit_bytes` is an error.
  PipeReader(int file_descriptor, size_t limit_bytes, graph::Waker waker);
  // Stops reading.
  ~PipeReader();
  PipeReader(const PipeReader&) = delete;
  PipeReader& operator=(const PipeReader&) = delete;

  bool done() const { return done_.load(std::memory_order_acquire); }
  // Once done. Throws InputError with the reason where reading failed.
  std::vector<std::byte> TakeBytes();

 private:
  void Read(int file_descriptor, size_t limit_bytes);
  // False where the reader is to stop.
  bool WaitForInput(int file_descriptor) const;

  std::vector<std::byte> bytes_;
  std::string error_;
  std::atomic<bool> done_{false};
  const int stop_event_;
  graph::Waker waker_;
  std::thread thread_;
};

// All that comes until the end, in the calling thread. Throws InputError with the reason where reading failed or there
// is more than `limit_bytes`.
std::vector<std::byte> ReadPipe(int file_descriptor, size_t limit_bytes);

}  // namespace percept::nodes
