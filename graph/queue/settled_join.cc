// SPDX-License-Identifier: Apache-2.0
#include "graph/queue/settled_join.h"

#include <algorithm>
#include <utility>

namespace percept::graph {

Join::Answer SettledJoin::Next(InputSet& set, const OnPacket& on_packet) {
  // What is late for times that are over is still to be found where there were more inputs before.
  if (inputs_.size() == 1 && given_up_ == Time::Min()) return NextOfOne(set, on_packet);
  while (true) {
    if (given_up_ != Time::Min() && TakeLate(set, on_packet)) return Answer::kSet;
    bool ended = true;
    const Time time = NextTime(ended);
    if (time == Time::Unset()) return ended ? Answer::kEnded : Answer::kWait;
    const bool is_complete = TakeAll(time, set, on_packet);
    if (set.empty()) continue;  // their edges have dropped them
    if (is_complete || !need_all_ || set.FirstError()) return Answer::kSet;
    ++num_unmatched_;
    LetGo(set, inputs_);
  }
}

Join::Answer SettledJoin::NextOfOne(InputSet& set, const OnPacket& on_packet) {
  if (Take(*inputs_[0], 0, Time::Max(), set, on_packet)) return Answer::kSet;
  return inputs_[0]->Look().ended() ? Answer::kEnded : Answer::kWait;
}

Time SettledJoin::NextTime(bool& ended) {
  Time earliest = Time::Max(), bound = Time::Max();
  Time waited_for = Time::Min();  // the latest of what has waited long enough
  const Duration now = max_wait_ ? clock_.Now() : Duration();
  deadline_.reset();
  for (const Edge* input : inputs_) {
    const Edge::View view = input->Look();
    ended = ended && view.ended();
    bound = std::min(bound, view.bound);
    if (view.head == Time::Unset()) continue;
    earliest = std::min(earliest, view.head);
    if (!max_wait_) continue;
    const Duration due = view.head_since + *max_wait_;
    if (due <= now) waited_for = std::max(waited_for, view.head);
    deadline_ = std::min(deadline_.value_or(due), due);
  }
  if (earliest == Time::Max()) return Time::Unset();
  if (earliest < bound) return earliest;
  if (earliest > waited_for) return Time::Unset();
  given_up_ = earliest;
  return earliest;
}

bool SettledJoin::TakeLate(InputSet& set, const OnPacket& on_packet) {
  Packet packet;
  Edge::Level level;
  for (size_t port_idx = 0; port_idx < inputs_.size(); ++port_idx) {
    while (inputs_[port_idx]->Pop(given_up_, packet, level)) {
      if (on_packet) on_packet(port_idx, packet, level);
      if (packet.is_error()) {
        set.Begin(given_up_);
        set.Add(port_idx, std::move(packet));
        return true;
      }
      inputs_[port_idx]->Drop(packet, DropReason::kLate);
    }
  }
  return false;
}

bool SettledJoin::TakeAll(Time time, InputSet& set, const OnPacket& on_packet) {
  bool is_complete = true;
  for (size_t port_idx = 0; port_idx < inputs_.size(); ++port_idx) {
    bool found = false;
    while (Take(*inputs_[port_idx], port_idx, time, set, on_packet)) found = true;
    is_complete = is_complete && found;
  }
  return is_complete;
}

Time SettledJoin::Bound() const {
  Time bound = Time::Max();
  for (const Edge* input : inputs_) {
    const Edge::View view = input->Look();
    bound = std::min(bound, view.head == Time::Unset() ? view.bound : view.head);
  }
  return given_up_ == Time::Min() ? bound : std::max(bound, given_up_.Next());
}

}  // namespace percept::graph
