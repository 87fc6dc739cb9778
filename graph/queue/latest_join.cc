// SPDX-License-Identifier: Apache-2.0
#include "graph/queue/latest_join.h"

#include <algorithm>
#include <utility>

namespace percept::graph {

Join::Answer LatestJoin::Next(InputSet& set, const OnPacket& on_packet) {
  while (true) {
    deadline_.reset();
    TakeOthers(on_packet);
    const Edge::View view = inputs_[0]->Look();
    if (view.ended()) return EndWithErrors(set);
    if (view.head == Time::Unset() || MustWait(view)) return Answer::kWait;
    if (!Take(*inputs_[0], 0, view.head, set, on_packet)) continue;  // its edge has dropped it
    last_time_ = view.head;
    const bool is_complete = AddOthers(set);
    if (is_complete || !need_all_ || set.FirstError()) return Answer::kSet;
    ++num_unmatched_;
    LetGo(set, inputs_);
  }
}

void LatestJoin::TakeOthers(const OnPacket& on_packet) {
  Packet packet;
  Edge::Level level;
  for (size_t i = 1; i < inputs_.size(); ++i) {
    while (inputs_[i]->Pop(Time::Max(), packet, level)) {
      if (on_packet) on_packet(i, packet, level);
      if (!packet.is_error()) {
        others_[i].newest = std::move(packet);
      } else if (others_[i].error.empty()) {
        others_[i].error = std::move(packet);
      } else {
        inputs_[i]->Drop(packet, DropReason::kLatest);
      }
    }
  }
}

bool LatestJoin::MustWait(const Edge::View& first) {
  if (!need_all_) return false;
  bool is_missing = false;
  for (size_t i = 1; i < inputs_.size(); ++i) {
    if (!others_[i].error.empty()) return false;
    if (!others_[i].newest.empty()) continue;
    const Edge::View view = inputs_[i]->Look();
    // One that has just come is taken at the next look.
    is_missing = is_missing || view.head != Time::Unset() || view.bound <= first.head;
  }
  if (!is_missing) return false;
  if (!max_wait_) return true;
  deadline_ = first.head_since + *max_wait_;
  return clock_.Now() < *deadline_;
}

bool LatestJoin::AddOthers(InputSet& set) {
  bool is_complete = true;
  for (size_t i = 1; i < inputs_.size(); ++i) {
    Other& other = others_[i];
    if (!other.error.empty()) {
      set.Add(i, std::exchange(other.error, Packet()));
    } else if (!other.newest.empty()) {
      set.Add(i, Packet(other.newest));
    } else {
      is_complete = false;
    }
  }
  return is_complete;
}

Join::Answer LatestJoin::EndWithErrors(InputSet& set) {
  Time time = Time::Min();
  for (const Other& other : others_) {
    if (!other.error.empty()) time = std::max({time, other.error.timestamp(), last_time_});
  }
  if (time == Time::Min()) return Answer::kEnded;
  set.Begin(time);
  for (size_t i = 1; i < others_.size(); ++i) {
    if (!others_[i].error.empty()) set.Add(i, std::exchange(others_[i].error, Packet()));
  }
  return Answer::kSet;
}

Time LatestJoin::Bound() const {
  const Edge::View view = inputs_[0]->Look();
  return view.head == Time::Unset() ? view.bound : view.head;
}

}  // namespace percept::graph
