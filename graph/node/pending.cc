// SPDX-License-Identifier: Apache-2.0
#include "graph/node/pending.h"

#include <algorithm>
#include <utility>

#include "graph/node/pending_times.h"

namespace percept::graph {

uint64_t PendingTimes::Add(Time time, const Origin& origin) {
  std::lock_guard lock(mutex_);
  work_.push_back({next_id_, time, origin});
  num_work_.store(work_.size(), std::memory_order_release);
  return next_id_++;
}

void PendingTimes::Remove(uint64_t id) {
  {
    std::lock_guard lock(mutex_);
    std::erase_if(work_, [id](const Work& work) { return work.id == id; });
    num_work_.store(work_.size(), std::memory_order_release);
  }
  node_->Change();
}

std::vector<PendingTimes::Work> PendingTimes::TakeAll() {
  std::vector<Work> all;
  {
    std::lock_guard lock(mutex_);
    std::swap(all, work_);
    num_work_.store(0, std::memory_order_release);
  }
  std::stable_sort(all.begin(), all.end(), [](const Work& a, const Work& b) { return a.time < b.time; });
  return all;
}

Time PendingTimes::FindEarliest() const {
  std::lock_guard lock(mutex_);
  Time earliest = Time::Max();
  for (const Work& work : work_) earliest = std::min(earliest, work.time);
  return earliest;
}

Pending::Pending(Origin origin, Time time, std::shared_ptr<PendingTimes> times)
    : origin_(std::move(origin)), time_(time), times_(std::move(times)) {
  if (origin_.item) origin_.item->Acquire();
  id_ = times_->Add(time_, origin_);
}

Pending::Pending(Pending&& other) noexcept
    : origin_(std::move(other.origin_)), time_(other.time_), id_(other.id_), times_(std::move(other.times_)) {}

Pending& Pending::operator=(Pending&& other) noexcept {
  if (this == &other) return *this;
  Done();
  origin_ = std::move(other.origin_);
  time_ = other.time_;
  id_ = other.id_;
  times_ = std::move(other.times_);
  return *this;
}

void Pending::Done() {
  if (!times_) return;
  std::exchange(times_, nullptr)->Remove(id_);
  if (origin_.item) origin_.item->Release();
}

const std::string& Pending::item_label() const {
  static const std::string no_label;
  return origin_.item ? origin_.item->label() : no_label;
}

}  // namespace percept::graph
