// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupts.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "cli/command.h"

namespace percept::cli {

void Interrupts::Begin(const Stops& stops) {
  const std::lock_guard lock(mutex_);
  stops_ = &stops;
}

void Interrupts::End() {
  const std::lock_guard lock(mutex_);
  stops_ = nullptr;
  has_run_ = true;
}

void Interrupts::OnSignal(std::function<void()> Stops::*stop) {
  const std::lock_guard lock(mutex_);
  if (stops_ != nullptr) {
    (stops_->*stop)();
  } else if (!has_run_) {
    spdlog::error(kCancelled);
    _exit(kStopped);
  }
}

}  // namespace percept::cli
