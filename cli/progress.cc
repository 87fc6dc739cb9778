// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace percept::cli {
namespace {

constexpr std::chrono::milliseconds kFirstAfter{1000}, kBarEvery{100}, kLineEvery{5000};
constexpr size_t kBarWidth = 24;

}  // namespace

Progress::Progress(std::vector<std::string> sinks, size_t num_items)
    : sinks_(std::move(sinks)), num_items_(num_items), is_terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::OnEvent(const graph::TraceEvent& event) {
  if (event.kind == graph::TraceKind::kReceived &&
      std::find(sinks_.begin(), sinks_.end(), event.node) != sinks_.end()) {
    num_done_.fetch_add(1, std::memory_order_relaxed);
  }
  Show();
}

void Progress::Record(const TraceEvent& event) {
  if (event.phase == TraceEvent::Phase::kEnd && event.name == "decode") {
    num_tokens_.fetch_add(event.value, std::memory_order_relaxed);
  }
  Show();
}

void Progress::SetThrough(size_t num_through, size_t num_failed) {
  num_done_.store(num_through - num_failed, std::memory_order_relaxed);
  num_failed_.store(num_failed, std::memory_order_relaxed);
  Show();
}

void Progress::Show() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  const Clock::time_point now = Clock::now();
  if (!lock || now - start_ < kFirstAfter || now - last_shown_ < (is_terminal_ ? kBarEvery : kLineEvery)) {
    return;
  }
  last_shown_ = now;
  const std::string line = Line(now - start_);
  if (is_terminal_) {
    std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
    visible_ = true;
  } else {
    std::fprintf(stderr, "percept: %s\n", line.c_str());
  }
}

void Progress::Hide() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(visible_, false)) {
    std::fputs("\r\x1b[K", stderr);
  }
}

std::string Progress::Line(Clock::duration elapsed) const {
  const size_t num_done = num_done_.load(std::memory_order_relaxed);
  const size_t num_failed = num_failed_.load(std::memory_order_relaxed);
  const size_t num_items = num_items_.load(std::memory_order_relaxed);
  std::string line;
  if (is_terminal_ && num_items > 0) {
    const size_t filled = std::min(kBarWidth, kBarWidth * (num_done + num_failed) / num_items);
    line.append("[").append(filled, '=').append(kBarWidth - filled, ' ').append("] ");
  }
  const int64_t num_tokens = num_tokens_.load(std::memory_order_relaxed);
  line += std::to_string(num_done) + (num_items > 0 ? " of " + std::to_string(num_items) : "") + " done, " +
          (num_failed > 0 ? std::to_string(num_failed) + " failed, " : "") +
          (num_tokens > 0 ? std::to_string(num_tokens) + " tokens, " : "") +  // in many runs nothing counts any
          std::to_string(std::chrono::duration_cast<std::chrono::seconds>(elapsed).count()) + " s";
  return line;
}

}  // namespace percept::cli
