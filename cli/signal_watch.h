// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace percept::cli {

// While it lives, SIGINT, SIGTERM or (unless it is ignored) SIGHUP calls `on_first`, the next one `on_second`, on a
// thread of its own; the one after that ends the program. Made before any other thread starts.
class SignalWatch {
 public:
  SignalWatch(std::function<void()> on_first, std::function<void()> on_second);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  void Watch();

  const std::function<void()> on_first_, on_second_;
  std::atomic<int> num_signals_{0};
  const int signals_;  // a signalfd
  const int stop_;     // an eventfd
  std::thread thread_;
};

}  // namespace percept::cli
