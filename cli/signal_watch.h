// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace percept::cli {

// Keeps SIGINT and SIGTERM from ending the program. Call it before any thread starts.
void HoldSignals();

// While it lives, SIGINT or SIGTERM calls `on_signal` once, on a thread of its own; the second one ends the program.
class SignalWatch {
 public:
  explicit SignalWatch(std::function<void()> on_signal);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  bool signalled() const { return signalled_; }

 private:
  void Watch();

  const std::function<void()> on_signal_;
  std::atomic<bool> signalled_{false};
  const int signals_;  // a signalfd
  const int stop_;     // an eventfd
  std::thread thread_;
};

}  // namespace percept::cli
