// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <mutex>
#include <string_view>
#include <vector>

#include "kernels/core/trace.h"

namespace percept {

// Keeps every trace event in the order they came.
class TraceRecorder : public TraceSink {
 public:
  void Record(const TraceEvent& event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }

  std::vector<TraceEvent> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }

  // Where an event with this name, subject and phase stands for the first time; the number of events where it does not.
  size_t IndexOf(std::string_view name, uint64_t subject, TraceEvent::Phase phase = TraceEvent::Phase::kInstant) const {
    const std::lock_guard lock(mutex_);
    size_t i = 0;
    while (i < events_.size() &&
           (events_[i].name != name || events_[i].subject != subject || events_[i].phase != phase)) {
      ++i;
    }
    return i;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<TraceEvent> events_;
};

}  // namespace percept
