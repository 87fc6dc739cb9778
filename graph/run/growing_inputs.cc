// SPDX-License-Identifier: Apache-2.0
#include "graph/run/growing_inputs.h"

#include <algorithm>
#include <utility>

namespace percept::graph {

bool GrowingInputs::Expect() {
  const std::lock_guard lock(mutex_);
  if (has_ended_) return false;
  ++num_expected_;
  return true;
}

void GrowingInputs::GiveUp() {
  const std::lock_guard lock(mutex_);
  --num_expected_;
}

bool GrowingInputs::Attach(Arrival arrival) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return false;
  arrivals_.push_back(std::move(arrival));
  NoteChanges();
  return true;
}

bool GrowingInputs::Detach(Departure departure) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return false;
  departures_.push_back(departure);
  NoteChanges();
  return true;
}

std::vector<GrowingInputs::Arrival> GrowingInputs::TakeArrivals() {
  const std::lock_guard lock(mutex_);
  std::vector<Arrival> arrivals = std::exchange(arrivals_, {});
  num_expected_ -= arrivals.size();
  NoteChanges();
  return arrivals;
}

std::vector<GrowingInputs::Departure> GrowingInputs::TakeEnded() {
  const std::lock_guard lock(mutex_);
  const auto ended = std::stable_partition(departures_.begin(), departures_.end(),
                                           [](const Departure& each) { return !each.edge->Look().ended(); });
  std::vector<Departure> taken(ended, departures_.end());
  departures_.erase(ended, departures_.end());
  NoteChanges();
  return taken;
}

bool GrowingInputs::TryEnd() {
  const std::lock_guard lock(mutex_);
  has_ended_ = num_expected_ == 0;
  return has_ended_;
}

void GrowingInputs::End() {
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
}

GrowingInputs::Rest GrowingInputs::TakeRest() {
  const std::lock_guard lock(mutex_);
  has_ended_ = is_closed_ = true;
  num_expected_ -= arrivals_.size();
  return {std::exchange(arrivals_, {}), std::exchange(departures_, {})};
}

}  // namespace percept::graph
