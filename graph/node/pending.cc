// SPDX-License-Identifier: Apache-2.0
#include "graph/node/pending.h"

#include <algorithm>
#include <utility>

#include "graph/node/pending_times.h"

namespace percept::graph {

void PendingTimes::Add(Time time) {
  std::lock_guard lock(mutex_);
  times_.push_back(time);
}

void PendingTimes::Remove(Time time) {
  {
    std::lock_guard lock(mutex_);
    times_.erase(std::find(times_.begin(), times_.end(), time));
  }
  node_->Change();
}

Time PendingTimes::Earliest() const {
  std::lock_guard lock(mutex_);
  Time earliest = Time::Max();
  for (Time time : times_) earliest = std::min(earliest, time);
  return earliest;
}

Pending::Pending(Origin origin, Time time, std::shared_ptr<PendingTimes> times)
    : origin_(std::move(origin)), time_(time), times_(std::move(times)) {
  if (origin_.item) origin_.item->Acquire();
  times_->Add(time_);
}

Pending::Pending(Pending&& other) noexcept
    : origin_(std::move(other.origin_)), time_(other.time_), times_(std::move(other.times_)) {}

Pending& Pending::operator=(Pending&& other) noexcept {
  if (this == &other) return *this;
  Done();
  origin_ = std::move(other.origin_);
  time_ = other.time_;
  times_ = std::move(other.times_);
  return *this;
}

void Pending::Done() {
  if (!times_) return;
  std::exchange(times_, nullptr)->Remove(time_);
  if (origin_.item) origin_.item->Release();
}

const std::string& Pending::item_label() const {
  static const std::string no_label;
  return origin_.item ? origin_.item->label() : no_label;
}

}  // namespace percept::graph
