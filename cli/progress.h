// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "graph/run/observer.h"
#include "kernels/core/trace.h"

namespace percept::cli {

// Tells on standard error how far a run has come, once it has taken a second: a bar on a terminal, a line now and then
// elsewhere. Any thread may call any function.
class Progress : public graph::Observer, public TraceSink {
 public:
  // `sinks`: nodes whose input counts as done. `num_items`: 0 where it is not known.
  Progress(std::vector<std::string> sinks, size_t num_items);
  ~Progress() override { Hide(); }

  void OnEvent(const graph::TraceEvent& event) override;
  void Record(const TraceEvent& event) override;
  // For runs that count what is done, or has failed, themselves.
  void SetTotal(size_t num_items) { num_items_.store(num_items, std::memory_order_relaxed); }
  void SetThrough(size_t num_through, size_t num_failed);
  // Takes the bar off the terminal, before something else is written there.
  void Hide();

 private:
  using Clock = std::chrono::steady_clock;

  void Show();
  std::string Line(Clock::duration elapsed) const;

  const std::vector<std::string> sinks_;
  std::atomic<size_t> num_items_;
  const bool is_terminal_;
  const Clock::time_point start_ = Clock::now();
  std::atomic<size_t> num_done_{0}, num_failed_{0};
  std::atomic<int64_t> num_tokens_{0};
  std::mutex mutex_;  // of the terminal and what follows
  Clock::time_point last_shown_ = start_;
  bool visible_ = false;
};

}  // namespace percept::cli
