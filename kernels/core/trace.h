// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace percept {

// What the engine and its steps report while they run. Called from whatever thread runs the step; implementations are
// thread-safe and must not block. `name` is a literal ("submit", "tower layer", "prefill", "decode", "finish", ...);
// `subject` is the id of the picture, clip or sequence, `value` counts (layer index, rows).
struct TraceEvent {
  enum class Phase : uint8_t { kBegin, kEnd, kInstant };
  Phase phase = Phase::kInstant;
  std::string_view name;
  uint64_t subject = 0;
  int64_t value = 0;
};

class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void Record(const TraceEvent& event) = 0;
};

// Begin/end pair around a scope. A null sink costs one branch.
class TraceZone {
 public:
  TraceZone(TraceSink* sink, std::string_view name, uint64_t subject = 0, int64_t value = 0)
      : sink_(sink), event_{TraceEvent::Phase::kBegin, name, subject, value} {
    if (sink_ != nullptr) {
      sink_->Record(event_);
    }
  }
  ~TraceZone() {
    if (sink_ != nullptr) {
      event_.phase = TraceEvent::Phase::kEnd;
      sink_->Record(event_);
    }
  }
  TraceZone(const TraceZone&) = delete;
  TraceZone& operator=(const TraceZone&) = delete;

 private:
  TraceSink* sink_;
  TraceEvent event_;
};

}  // namespace percept
